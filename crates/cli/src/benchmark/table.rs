//! The findings for people.

use super::findings::{Findings, NetworkFindings, Timed, kind};
use crate::number::grouped;
use crate::safe_text;
use crate::text_table::{self, Side};
use percept::kernels::isa::Isa;
use std::fmt::Write;

/// The machine, its peaks, then training and prediction of each network.
pub(crate) fn text(findings: &Findings) -> String {
    let mut text = String::new();
    if let Some(processor) = &findings.processor {
        let _ = writeln!(text, "processor  {}", safe_text::one_line(processor));
    }
    let _ = writeln!(text, "in use     {}, {}\n", findings.isa, threads(all(findings)));
    text += &peaks(findings);
    text.push('\n');
    text += &training(findings);
    text.push('\n');
    text += &prediction(findings);
    text
}

fn all(findings: &Findings) -> usize {
    findings.threads.last().copied().unwrap_or(1)
}

fn threads(count: usize) -> String {
    format!("{count} {}", if count == 1 { "thread" } else { "threads" })
}

/// The rows with a head; all columns but the first keep right.
fn table(head: Vec<String>, rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let sides: Vec<Side> =
        (0..head.len()).map(|at| if at == 0 { Side::Left } else { Side::Right }).collect();
    let rows: Vec<Vec<String>> = std::iter::once(head).chain(rows).collect();
    text_table::text(&sides, &rows)
}

fn peaks(findings: &Findings) -> String {
    let mut head = vec!["peak, GFLOP/s".to_owned()];
    head.extend(findings.threads.iter().map(|count| threads(*count)));
    let rows = Isa::available().into_iter().map(|isa| {
        let own = findings.peaks.iter().filter(|peak| peak.isa == isa);
        let rates = own.map(|peak| format!("{:.0}", peak.rate / 1e9));
        std::iter::once(isa.to_string()).chain(rates).collect()
    });
    table(head, rows)
}

fn training(findings: &Findings) -> String {
    let mut head: Vec<String> =
        ["training, images/s", "parameters", "batch", "operands"].map(str::to_owned).to_vec();
    for count in &findings.threads {
        head.extend([threads(*count), "of peak".to_owned()]);
    }
    let row = |network: &NetworkFindings| {
        let mut row = vec![
            name(network),
            grouped(network.parameters as u64),
            network.batch.to_string(),
            network.precision.to_string(),
        ];
        for timed in &network.training {
            row.extend([speed(timed), share(findings, timed, network.training_operations)]);
        }
        row
    };
    table(head, findings.networks.iter().map(row))
}

fn prediction(findings: &Findings) -> String {
    let mut head = vec!["prediction".to_owned(), "1 image".to_owned()];
    for count in &findings.threads {
        head.extend([format!("images/s, {}", threads(*count)), "of peak".to_owned()]);
    }
    let row = |network: &NetworkFindings| {
        let mut row = vec![name(network)];
        for timed in &network.prediction {
            if timed.images == 1 {
                row.push(latency(timed.seconds));
            } else {
                row.extend([speed(timed), share(findings, timed, network.operations)]);
            }
        }
        row
    };
    table(head, findings.networks.iter().map(row))
}

/// What a network is called, and that a name like a preset's means the preset.
fn name(network: &NetworkFindings) -> String {
    format!("{} ({})", safe_text::one_line(&network.name), kind(network.kind))
}

fn speed(timed: &Timed) -> String {
    grouped(timed.images_per_second() as u64)
}

fn share(findings: &Findings, timed: &Timed, operations: u64) -> String {
    findings
        .share_of_peak(timed, operations)
        .map_or_else(String::new, |share| format!("{:.0} %", 100.0 * share))
}

/// A short time: `3.5 us`, `205 us`, `1.2 ms`.
fn latency(seconds: f64) -> String {
    let us = seconds * 1e6;
    match us {
        ..100.0 => format!("{us:.1} us"),
        ..1000.0 => format!("{us:.0} us"),
        _ => format!("{:.1} ms", us / 1e3),
    }
}

#[cfg(test)]
mod tests {
    use super::super::findings::Peak;
    use super::*;
    use percept::nn::compute::Precision;
    use percept::train::benchmark::Kind;

    #[test]
    fn shares_and_speeds_by_hand() {
        let timed = |threads, images, seconds| Timed { threads, images, seconds };
        let findings = Findings {
            processor: Some("Pentium".to_owned()),
            isa: Isa::SCALAR,
            threads: vec![1],
            peaks: vec![Peak { isa: Isa::SCALAR, threads: 1, rate: 2e9 }],
            networks: vec![NetworkFindings {
                name: "net".to_owned(),
                kind: Kind::Own,
                precision: Precision::Bf16,
                parameters: 1234,
                operations: 1000,
                training_operations: 3000,
                batch: 100,
                // 100,000 images a second at 3000 operations are 0.3 GFLOP/s, of 2; a million at 1000 are half.
                training: vec![timed(1, 100, 1e-3)],
                prediction: vec![timed(1, 1, 2.5e-6), timed(1, 256, 256e-6)],
            }],
        };
        let tables = text(&findings);
        for line in [
            "processor  Pentium",
            "scalar                2",
            "net (own)                1,234    100      bf16   100,000     15 %",
            "net (own)    2.5 us           1,000,000     50 %",
        ] {
            assert!(tables.contains(line), "{line}\nin\n{tables}");
        }
        let json = super::super::json(&findings);
        assert_eq!(json["networks"][0]["training"][0]["images_per_second"], 100_000.0);
        assert_eq!(json["peaks"][0]["operations_per_second"], 2e9);
    }

    #[test]
    fn short_times() {
        let times = [3.51e-6, 205.4e-6, 1.234e-3].map(latency);
        assert_eq!(times, ["3.5 us", "205 us", "1.2 ms"]);
    }
}
