//! The time of each step of a message's way, by criterion: `make bench-micro`.
//!
//! Times depend on the machine and on who else uses it: compare with a run of the same minutes.
//! What must not get slower is watched by `benches/server/instructions`.

use criterion::Criterion;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    for step in parley_server_benches::all() {
        criterion.bench_function(step.name, |bencher| bencher.iter((step.start)()));
    }
    criterion.final_summary();
}
