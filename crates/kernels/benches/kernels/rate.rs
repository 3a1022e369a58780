//! Time, told as GFLOP/s and as a share of the machine's peak where a benchmark counts operations.

use criterion::Throughput;
use criterion::measurement::{Measurement, ValueFormatter, WallTime};
use percept_kernels::isa::Isa;
use percept_kernels::peak;
use std::time::{Duration, Instant};

/// The wall clock beside one instruction set's peak.
pub(crate) struct OfPeak {
    rate: Rate,
}

struct Rate {
    /// Floating-point operations a nanosecond.
    peak: f64,
}

impl OfPeak {
    /// Measures the peak of one thread, and says it.
    pub(crate) fn new(isa: Isa) -> Self {
        let peak = peak::operations_per_second(isa, 1, Duration::from_millis(300)) / 1e9;
        println!("{isa}: peak of one thread {peak:.1} GFLOP/s\n");
        Self { rate: Rate { peak } }
    }
}

impl Measurement for OfPeak {
    type Intermediate = Instant;
    type Value = Duration;

    fn start(&self) -> Instant {
        WallTime.start()
    }

    fn end(&self, start: Instant) -> Duration {
        WallTime.end(start)
    }

    fn add(&self, a: &Duration, b: &Duration) -> Duration {
        WallTime.add(a, b)
    }

    fn zero(&self) -> Duration {
        WallTime.zero()
    }

    fn to_f64(&self, value: &Duration) -> f64 {
        WallTime.to_f64(value)
    }

    fn formatter(&self) -> &dyn ValueFormatter {
        &self.rate
    }
}

impl ValueFormatter for Rate {
    fn format_throughput(&self, throughput: &Throughput, nanoseconds: f64) -> String {
        let Throughput::Elements(operations) = throughput else {
            return WallTime.formatter().format_throughput(throughput, nanoseconds);
        };
        let rate = *operations as f64 / nanoseconds;
        format!("{rate:.1} GFLOP/s ({:.0} %)", 100.0 * rate / self.peak)
    }

    fn scale_values(&self, typical: f64, values: &mut [f64]) -> &'static str {
        WallTime.formatter().scale_values(typical, values)
    }

    fn scale_throughputs(
        &self,
        typical: f64,
        throughput: &Throughput,
        values: &mut [f64],
    ) -> &'static str {
        WallTime.formatter().scale_throughputs(typical, throughput, values)
    }

    fn scale_for_machines(&self, values: &mut [f64]) -> &'static str {
        WallTime.formatter().scale_for_machines(values)
    }
}
