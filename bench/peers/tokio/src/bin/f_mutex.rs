//! (f) tokio::sync::Mutex, alone and with 8 tasks.
use std::sync::Arc;
use tokio::sync::Mutex;

const N: usize = 5_000_000;
const M: usize = 1_000_000;

async fn lock_often(mu: Arc<Mutex<usize>>, n: usize) {
    for _ in 0..n {
        *mu.lock().await += 1;
    }
}

fn main() {
    let mu = Arc::new(Mutex::new(0));
    let rt = bench::runtime(1);
    bench::bench(&rt, "f.mutex_uncontended", 11, N, || lock_often(mu.clone(), N));
    for p in bench::procs() {
        let rt = bench::runtime(p);
        bench::bench(&rt, &format!("f.mutex_8g_contended.P{p}"), 11, M, || {
            let mu = Arc::new(Mutex::new(0));
            async move {
                let all: Vec<_> = (0..8).map(|_| tokio::spawn(lock_often(mu.clone(), M / 8))).collect();
                for t in all {
                    t.await.unwrap();
                }
                assert_eq!(*mu.lock().await, M);
            }
        });
    }
}
