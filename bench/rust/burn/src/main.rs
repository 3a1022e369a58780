//! burn under measurement, on its fastest processor back-end (flex).

mod network;
mod worker;

fn main() -> std::io::Result<()> {
    bench_protocol::serve(worker::Burn::default())
}
