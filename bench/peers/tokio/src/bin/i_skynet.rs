//! (i) skynet: a tree with 10 branches, 1 M leaves, sums by channels; one operation is the whole tree, in ms.
use std::future::Future;
use std::pin::Pin;
use std::time::Instant;
use tokio::sync::mpsc;

fn sky(to: mpsc::Sender<u64>, num: u64, size: u64) -> Pin<Box<dyn Future<Output = ()> + Send>> {
    Box::pin(async move {
        if size == 1 {
            to.send(num).await.unwrap();
            return;
        }
        let (send, mut recv) = mpsc::channel(1);
        for i in 0..10 {
            tokio::spawn(sky(send.clone(), num + i * (size / 10), size / 10));
        }
        let mut sum = 0;
        for _ in 0..10 {
            sum += recv.recv().await.unwrap();
        }
        to.send(sum).await.unwrap();
    })
}

fn main() {
    for p in bench::procs() {
        let rt = bench::runtime(p);
        let mut samples = Vec::new();
        for _ in 0..bench::rounds(11) {
            let start = Instant::now();
            let sum = rt.block_on(rt.spawn(async {
                let (send, mut recv) = mpsc::channel(1);
                tokio::spawn(sky(send, 0, 1_000_000));
                recv.recv().await.unwrap()
            }));
            assert_eq!(sum.unwrap(), 499_999_500_000);
            samples.push(start.elapsed().as_secs_f64() * 1000.0);
        }
        bench::report(&format!("i.skynet_1M.P{p}"), "ms", &samples);
    }
}
