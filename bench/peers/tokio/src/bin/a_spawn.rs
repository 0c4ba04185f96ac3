//! (a) 1 M tasks at once, and start and join one by one.
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;
use tokio::sync::Notify;

const N: usize = 1_000_000;

fn main() {
    for p in bench::procs() {
        let rt = bench::runtime(p);
        bench::bench(&rt, &format!("a.spawn_wg_1M.P{p}"), 11, N, || async {
            let left = Arc::new((AtomicUsize::new(N), Notify::new()));
            for _ in 0..N {
                let left = left.clone();
                tokio::spawn(async move {
                    if left.0.fetch_sub(1, Ordering::AcqRel) == 1 {
                        left.1.notify_one();
                    }
                });
            }
            left.1.notified().await;
            assert_eq!(left.0.load(Ordering::Acquire), 0);
        });
        bench::bench(&rt, &format!("a.spawn_join_one_by_one.P{p}"), 11, N, || async {
            for _ in 0..N {
                tokio::spawn(async {}).await.unwrap();
            }
        });
    }
}
