//! percept under measurement.

mod images;
mod model_file;
mod worker;

use bench_protocol::Result;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["images", path] => images::write(path),
        ["model", spec, weights, path] => model_file::write(spec, weights, path),
        _ => Ok(bench_protocol::serve(worker::Percept::new()?)?),
    }
}
