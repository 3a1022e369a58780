//! Draws the memory plan of a training step as an SVG picture on stdout: moments across, memory down.
//!
//! `cargo run --release -p percept-nn --example memory_plan crates/train/presets/cnn.toml 32 >plan.svg`
//! (a file with a network, or a preset with one in it; images of a chunk)
#![allow(clippy::print_stdout)] // the picture

use percept_kernels::isa::Isa;
use percept_nn::compute::Compute;
use percept_nn::engine::{Engine, EngineSettings};
use percept_nn::loss::LossSettings;
use percept_nn::memory::{PlannedBuffer, Use};
use percept_nn::network::Network;
use percept_nn::optim::{OptimizerSpec, Sgd};
use percept_nn::spec::NetworkSpec;
use std::error::Error;
use std::fmt::Write;

const COLUMN: usize = 36;
const LEFT: usize = 64;
const TOP: usize = 96;
const HEIGHT: usize = 420;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().ok_or("give a network file and the images of a chunk")?;
    let chunk_size = arguments.next().ok_or("give the images of a chunk")?.parse()?;
    let mut table: toml::Table = std::fs::read_to_string(path)?.parse()?;
    let network = match table.remove("network") {
        Some(network) => toml::to_string(&network)?,
        None => toml::to_string(&table)?,
    };
    let network = Network::<f32>::new(NetworkSpec::from_toml(&network)?, 1)?;
    let settings = EngineSettings {
        compute: Compute::new(Isa::chosen()?),
        threads: 1,
        batch_size: chunk_size,
        chunk_size,
        lanes: 1,
        loss: LossSettings::default(),
        optimizer: OptimizerSpec::Sgd(Sgd::default()),
        clip_norm: None,
        average: None,
        seed: 1,
    };
    let engine = Engine::new(network, settings)?;
    print!("{}", picture(engine.memory_plan(), chunk_size));
    Ok(())
}

fn picture(plan: &[PlannedBuffer], chunk: usize) -> String {
    let end = plan.iter().map(|buffer| buffer.place.end).max().unwrap_or(1);
    let last = plan.iter().map(|buffer| buffer.last).max().unwrap_or(0);
    let (width, height) = (LEFT + (last + 1) * COLUMN + 16, TOP + HEIGHT + 48);
    let mut svg = format!(
        "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {width} {height}' font-family='sans-serif' font-size='11'>\n\
         <rect width='{width}' height='{height}' fill='white'/>\n"
    );
    for buffer in plan {
        draw(&mut svg, buffer, end);
    }
    let nodes = last / 2;
    for moment in 0..=last {
        let x = LEFT + moment * COLUMN + COLUMN / 2;
        let (text, colour) = match moment.cmp(&nodes) {
            std::cmp::Ordering::Less => (format!("forward {}", moment + 1), "#333"),
            std::cmp::Ordering::Equal => ("loss".to_owned(), "#a00"),
            std::cmp::Ordering::Greater => (format!("backward {}", 2 * nodes - moment + 1), "#333"),
        };
        let y = TOP - 8;
        let _ = writeln!(
            svg,
            "<text x='{x}' y='{y}' fill='{colour}' transform='rotate(-60 {x} {y})'>{text}</text>"
        );
    }
    for quarter in 0..=4 {
        let y = TOP + HEIGHT * quarter / 4;
        let kib = 4 * end * quarter / 4 / 1024;
        let x = LEFT - 6;
        let _ = writeln!(svg, "<text x='{x}' y='{}' text-anchor='end'>{kib} KiB</text>", y + 4);
    }
    legend(&mut svg, chunk, plan.iter().map(|buffer| buffer.place.len()).sum::<usize>(), end);
    svg + "</svg>\n"
}

fn draw(svg: &mut String, buffer: &PlannedBuffer, end: usize) {
    let scale = |number: usize| TOP as f64 + HEIGHT as f64 * number as f64 / end as f64;
    let (x, width) = (LEFT + buffer.first * COLUMN, (buffer.last - buffer.first + 1) * COLUMN);
    let (y, bottom) = (scale(buffer.place.start), scale(buffer.place.end));
    let kib = buffer.place.len() / 256;
    let _ = writeln!(
        svg,
        "<rect x='{x}' y='{y:.1}' width='{width}' height='{:.1}' fill='{}' stroke='white' stroke-width='0.5'>\
         <title>{}: {}, {kib} KiB</title></rect>",
        bottom - y,
        colour(buffer.what),
        buffer.name,
        word(buffer.what),
    );
    if bottom - y > 12.0 && width > 60 {
        let _ = writeln!(
            svg,
            "<text x='{}' y='{:.1}' fill='white'>{}</text>",
            x + 4,
            y.midpoint(bottom) + 4.0,
            buffer.name.chars().take(width / 7).collect::<String>()
        );
    }
}

fn legend(svg: &mut String, chunk: usize, all: usize, end: usize) {
    let y = TOP + HEIGHT + 28;
    let uses = [Use::Value, Use::Gradient, Use::Saved, Use::Scratch];
    for (index, what) in uses.into_iter().enumerate() {
        let x = LEFT + index * 90;
        let _ = writeln!(
            svg,
            "<rect x='{x}' y='{}' width='12' height='12' fill='{}'/><text x='{}' y='{y}'>{}</text>",
            y - 10,
            colour(what),
            x + 17,
            word(what)
        );
    }
    let _ = writeln!(
        svg,
        "<text x='{}' y='{y}'>{chunk} images: {} KiB for {} KiB of buffers</text>",
        LEFT + 370,
        end / 256,
        all / 256
    );
}

fn colour(what: Use) -> &'static str {
    match what {
        Use::Value => "#3b6ea5",
        Use::Gradient => "#c0504d",
        Use::Saved => "#7f6bb0",
        Use::Scratch => "#9aa0a6",
    }
}

fn word(what: Use) -> &'static str {
    match what {
        Use::Value => "value",
        Use::Gradient => "gradient",
        Use::Saved => "kept",
        Use::Scratch => "scratch",
    }
}
