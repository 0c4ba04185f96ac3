//! (c) one producer, one consumer, capacity 128; one operation is one message.
use tokio::sync::mpsc;

const N: usize = 5_000_000;

fn main() {
    for p in bench::procs() {
        let rt = bench::runtime(p);
        bench::bench(&rt, &format!("c.spsc_cap128.P{p}"), 11, N, || async {
            let (send, mut recv) = mpsc::channel::<usize>(128);
            let sum = tokio::spawn(async move {
                let mut s = 0;
                while let Some(v) = recv.recv().await {
                    s += v;
                }
                s
            });
            for i in 0..N {
                send.send(i).await.unwrap();
            }
            drop(send);
            assert_eq!(sum.await.unwrap(), N * (N - 1) / 2);
        });
    }
}
