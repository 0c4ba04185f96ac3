//! Timing, the twin of bench/stat.h: one line for each result.
use std::env;
use std::future::Future;
use std::time::Instant;
use tokio::runtime::{Builder, Runtime};

pub fn rounds(usual: usize) -> usize {
    env::var("ROUNDS").ok().and_then(|s| s.parse().ok()).unwrap_or(usual)
}

/// With how many processors to measure: BENCH_PROCS, else 1 and 2.
pub fn procs() -> Vec<usize> {
    let all = env::var("BENCH_PROCS").unwrap_or_default();
    let all: Vec<usize> = all.split_whitespace().filter_map(|s| s.parse().ok()).collect();
    if all.is_empty() { vec![1, 2] } else { all }
}

pub fn runtime(procs: usize) -> Runtime {
    Builder::new_multi_thread().worker_threads(procs).enable_all().build().unwrap()
}

pub fn report(name: &str, unit: &str, samples: &[f64]) {
    let mut s = samples.to_vec();
    s.sort_by(|a, b| a.partial_cmp(b).unwrap());
    let n = s.len();
    let median = if n % 2 == 1 { s[n / 2] } else { (s[n / 2 - 1] + s[n / 2]) / 2.0 };
    println!("RESULT {name} unit={unit} first={:.4} min={:.4} med={median:.4} max={:.4} n={n}", samples[0], s[0], s[n - 1]);
}

/// Runs the future that f makes `times` times on the runtime, as a task; it does n operations.
pub fn bench<F, Fut>(rt: &Runtime, name: &str, times: usize, n: usize, mut f: F)
where
    F: FnMut() -> Fut,
    Fut: Future<Output = ()> + Send + 'static,
{
    let mut samples = Vec::new();
    for _ in 0..rounds(times) {
        let start = Instant::now();
        rt.block_on(rt.spawn(f())).unwrap();
        samples.push(start.elapsed().as_nanos() as f64 / n as f64);
    }
    report(name, "ns/op", &samples);
}
