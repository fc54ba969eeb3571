//! Orphans come to the master and leave no dead process behind. Alone in its file: it changes what this whole
//! process is to its descendants.
#![cfg(target_os = "linux")]

use std::time::{Duration, Instant};

use lampyris_runtime::supervisor::child::{Child, SpawnSpec};
use lampyris_runtime::supervisor::orphans::{adopt_orphans, reap_orphans};

#[tokio::test]
async fn orphans_are_reaped_and_own_children_left_alone() {
    let dir = tempfile::tempdir().expect("a directory");
    let run = |script: &str| {
        let spec = SpawnSpec {
            program: "/bin/sh".into(),
            args: vec!["-c".into(), script.into(), dir.path().join("node.log").into()],
            env: Vec::new(),
            env_remove: Vec::new(),
            log_file: dir.path().join("node.log"),
            cpus: Vec::new(),
        };
        Child::spawn(&spec).expect("a shell")
    };
    adopt_orphans().expect("a kernel that knows it");

    // It leaves its group's reach before the node ends, and ends after it.
    let mut node = run("setsid sh -c 'echo out; sleep 0.3' & until grep -q out $0; do :; done; exit 0");
    assert!(node.wait().await.is_success());
    let end = Instant::now() + Duration::from_secs(10);
    while reap_orphans(|_| false).is_empty() {
        assert!(Instant::now() < end, "no orphan came");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }

    let mut own = run("exit 5");
    for _ in 0..20 {
        assert!(reap_orphans(|pid| pid == own.pid()).is_empty());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(own.wait().await.code, Some(5), "its end was left for its owner");
}
