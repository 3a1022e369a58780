//! Prints how long each part takes to unpack: `cargo run --release -p percept-mnist --example time`.

use std::io::{self, Write};
use std::time::Instant;

use percept_mnist::{Digits, Error};

fn time(name: &str, unpack: fn() -> Result<Digits, Error>) -> io::Result<()> {
    let start = Instant::now();
    let count = unpack().map_err(io::Error::other)?.len();
    let milliseconds = start.elapsed().as_secs_f64() * 1e3;
    writeln!(io::stdout(), "{name}: {count} images in {milliseconds:.1} ms")
}

fn main() -> io::Result<()> {
    time("train", percept_mnist::train)?;
    time("test", percept_mnist::test)
}
