//! (b) ping-pong; one operation is one round trip. Tokio has no unbuffered channel: these hold one value, which is
//! less work than a meeting.
use tokio::sync::mpsc;

const N: usize = 1_000_000;

fn main() {
    for p in bench::procs() {
        let rt = bench::runtime(p);
        bench::bench(&rt, &format!("b.pingpong_roundtrip.P{p}"), 11, N, || async {
            let (there, mut in_) = mpsc::channel::<usize>(1);
            let (out, mut back) = mpsc::channel::<usize>(1);
            tokio::spawn(async move {
                while let Some(v) = in_.recv().await {
                    out.send(v).await.unwrap();
                }
            });
            for i in 0..N {
                there.send(i).await.unwrap();
                assert_eq!(back.recv().await, Some(i));
            }
        });
    }
}
