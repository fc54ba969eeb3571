//! Both ends, honest and not.

use super::*;

fn who(name: &str, life: u8) -> Identity {
    Identity {
        name: NodeName::on_the_wire(name).unwrap(),
        incarnation: Incarnation::from_bytes([life; 16]),
        pid: 7,
        succeeds: None,
    }
}

fn unframe(bytes: Bytes) -> Bytes {
    let mut buffer = BytesMut::from(&bytes[..]);
    let message = split(&mut buffer).unwrap().unwrap();
    assert!(buffer.is_empty());
    message
}

type Ends = (Result<Identity, HandshakeError>, Result<Identity, HandshakeError>);

/// Runs both ends with their secrets; gives what (dialer, acceptor) learnt.
fn shake(dialers: &[u8], acceptors: &[u8]) -> Ends {
    let gate = who("gate", 2);
    let (dialing, hello) = Dialing::begin(&who("net", 1), &gate.name).unwrap();
    let (accepting, challenge) = Accepting::begin(&gate, &unframe(hello)).unwrap();
    let (proving, proof) = dialing.prove(dialers, &unframe(challenge)).unwrap();
    match accepting.finish(acceptors, &unframe(proof)) {
        Ok((dialer, welcome)) => (proving.finish(&unframe(welcome)), Ok(dialer)),
        Err(HandshakeError::Refused(why)) => (proving.finish(&unframe(refusal(&why))), Err(why.into())),
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn both_ends_learn_who_the_other_is() {
    assert_eq!(
        shake(b"0123456789abcdef", b"0123456789abcdef"),
        (Ok(who("gate", 2)), Ok(who("net", 1)))
    );
}

#[test]
fn a_wrong_secret_is_refused_without_a_reason() {
    let refused = HandshakeError::Refused(Refusal::Unauthorized);
    assert_eq!(
        shake(b"0123456789abcdef", b"another secret.."),
        (Err(refused.clone()), Err(refused))
    );
}

#[test]
fn an_impostor_cannot_welcome_or_reflect() {
    let gate = who("gate", 2);
    let (dialing, hello) = Dialing::begin(&who("net", 1), &gate.name).unwrap();
    let (_, challenge) = Accepting::begin(&gate, &unframe(hello)).unwrap();
    let (proving, proof) = dialing.prove(b"secret", &unframe(challenge)).unwrap();
    let Proof { proof } = read(&unframe(proof)).unwrap();
    let reflected = message(&Welcome::Welcome { proof, pid: 1 });
    assert_eq!(proving.finish(&reflected), Err(HandshakeError::Impostor));
}

#[test]
fn a_replayed_proof_does_not_fit_a_new_challenge() {
    let gate = who("gate", 2);
    let (dialing, hello) = Dialing::begin(&who("net", 1), &gate.name).unwrap();
    let hello = unframe(hello);
    let (_, challenge) = Accepting::begin(&gate, &hello).unwrap();
    let (_, proof) = dialing.prove(b"secret", &unframe(challenge)).unwrap();
    let (again, _) = Accepting::begin(&gate, &hello).unwrap();
    assert!(again.finish(b"secret", &unframe(proof)).is_err());
}

#[test]
fn strangers_get_a_reason_or_nothing() {
    let gate = who("gate", 2);
    let (_, hello) = Dialing::begin(&who("net", 1), &NodeName::new("other").unwrap()).unwrap();
    let wrong = Accepting::begin(&gate, &unframe(hello)).err();
    assert_eq!(
        wrong,
        Some(HandshakeError::Refused(Refusal::WrongNode(gate.name.clone())))
    );
    let garbage = Accepting::begin(&gate, &Bytes::from_static(b"GET / HTTP/1.1")).err();
    assert!(matches!(garbage, Some(HandshakeError::Garbled(_))));
    assert!(
        split(&mut BytesMut::from(&b"GET / HTTP/1.1"[..])).is_err(),
        "0x4745 bytes are too many"
    );
}

#[test]
fn versions_without_overlap_are_named() {
    let hello = Hello {
        magic: MAGIC.into(),
        oldest: VERSION + 2,
        newest: VERSION + 3,
        from: who("net", 1),
        to: NodeName::new("gate").unwrap(),
        nonce: [0; 32],
    };
    let refused = Accepting::begin(&who("gate", 2), &message(&hello)).err();
    let expected = Refusal::Version {
        theirs: VERSION + 3,
        oldest: OLDEST,
        newest: VERSION,
    };
    assert_eq!(refused, Some(HandshakeError::Refused(expected)));
}
