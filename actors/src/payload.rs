//! The types that a client's payload can be, both ways.

use bytes::{BufMut, Bytes, BytesMut};
use lampyris_runtime::codec::{self, Payload};
use lampyris_runtime::error::{ErrorKind, Fault};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::message::{FromClient, IntoClient, Wrote};

/// A payload in JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Json<T>(pub T);

/// A payload in MessagePack; structs are maps with field names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Msgpack<T>(pub T);

impl FromClient for () {
    fn from_client(_payload: Bytes) -> Result<Self, Fault> {
        Ok(())
    }
}

impl FromClient for Bytes {
    fn from_client(payload: Bytes) -> Result<Self, Fault> {
        Ok(payload)
    }
}

impl FromClient for Payload {
    fn from_client(payload: Bytes) -> Result<Self, Fault> {
        Ok(payload.into())
    }
}

impl FromClient for Vec<u8> {
    fn from_client(payload: Bytes) -> Result<Self, Fault> {
        Ok(payload.to_vec())
    }
}

impl FromClient for String {
    fn from_client(payload: Bytes) -> Result<Self, Fault> {
        std::str::from_utf8(&payload)
            .map(str::to_owned)
            .map_err(|why| Fault::new(ErrorKind::BadPayload, format!("no UTF-8 text: {why}")))
    }
}

impl<T: DeserializeOwned> FromClient for Json<T> {
    fn from_client(payload: Bytes) -> Result<Self, Fault> {
        serde_json::from_slice(&payload)
            .map(Self)
            .map_err(|why| Fault::new(ErrorKind::BadPayload, format!("the JSON does not fit: {why}")))
    }
}

impl<T: DeserializeOwned> FromClient for Msgpack<T> {
    fn from_client(payload: Bytes) -> Result<Self, Fault> {
        codec::read(payload).map(Self)
    }
}

fn raw(bytes: &[u8], out: &mut BytesMut) -> Result<Wrote, Fault> {
    out.extend_from_slice(bytes);
    Ok(Wrote::Reply)
}

impl IntoClient for () {
    fn write_client(&self, _out: &mut BytesMut) -> Result<Wrote, Fault> {
        Ok(Wrote::Nothing)
    }
}

impl<T: IntoClient> IntoClient for Option<T> {
    fn write_client(&self, out: &mut BytesMut) -> Result<Wrote, Fault> {
        self.as_ref()
            .map_or(Ok(Wrote::Nothing), |payload| payload.write_client(out))
    }
}

impl IntoClient for String {
    fn write_client(&self, out: &mut BytesMut) -> Result<Wrote, Fault> {
        raw(self.as_bytes(), out)
    }
}

impl IntoClient for str {
    fn write_client(&self, out: &mut BytesMut) -> Result<Wrote, Fault> {
        raw(self.as_bytes(), out)
    }
}

impl IntoClient for [u8] {
    fn write_client(&self, out: &mut BytesMut) -> Result<Wrote, Fault> {
        raw(self, out)
    }
}

impl<T: IntoClient + ?Sized> IntoClient for &T {
    fn write_client(&self, out: &mut BytesMut) -> Result<Wrote, Fault> {
        (**self).write_client(out)
    }
}

impl IntoClient for Bytes {
    fn write_client(&self, out: &mut BytesMut) -> Result<Wrote, Fault> {
        raw(self, out)
    }
}

impl IntoClient for Payload {
    fn write_client(&self, out: &mut BytesMut) -> Result<Wrote, Fault> {
        raw(self, out)
    }

    fn relay_client(body: &[u8], out: &mut BytesMut) -> Result<Wrote, Fault> {
        match Payload::of_body(body) {
            Some(bytes) => raw(bytes, out),
            None => codec::decode::<Self>(&Bytes::copy_from_slice(body))?.write_client(out),
        }
    }
}

impl IntoClient for Vec<u8> {
    fn write_client(&self, out: &mut BytesMut) -> Result<Wrote, Fault> {
        raw(self, out)
    }
}

impl<T: Serialize> IntoClient for Json<T> {
    fn write_client(&self, out: &mut BytesMut) -> Result<Wrote, Fault> {
        serde_json::to_writer(out.writer(), &self.0)
            .map(|()| Wrote::Reply)
            .map_err(|why| Fault::new(ErrorKind::BadPayload, format!("cannot be written as JSON: {why}")))
    }
}

impl<T: Serialize> IntoClient for Msgpack<T> {
    fn write_client(&self, out: &mut BytesMut) -> Result<Wrote, Fault> {
        codec::encode(&self.0, out).map(|()| Wrote::Reply)
    }
}
