//! The machine's peak: how many f32 multiply-adds it does when nothing else holds it up.
//!
//! Chains of multiply-adds in registers, enough of them that each is done when its turn comes again: no memory, no
//! dependence, nothing but the units that the products live on. A kernel's share of this number says how much of the
//! machine it uses.

use crate::isa::{Isa, IsaName};
use core::hint::black_box;
use std::sync::Barrier;
use std::time::{Duration, Instant};

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
use crate::vector::Vector;

/// Vectors that are added to in turn on x86-64. Two units that take four or five cycles each need eight or ten; twelve and
/// both factors still fit into the 16 registers of AVX2.
#[cfg(target_arch = "x86_64")]
const CHAINS: usize = 12;

/// Vectors that are added to in turn on Arm. Four units that take four cycles each need 16; 24 and both factors still
/// fit into the 32 registers of NEON.
#[cfg(target_arch = "aarch64")]
const CHAINS: usize = 24;

/// Numbers that the scalar body adds to in turn: enough chains for vectors of four, and few enough for the first cache.
const SCALAR_NUMBERS: usize = 64;

/// Turns between two looks at the clock: some microseconds.
const TURNS: usize = 1 << 12;

/// Windows that a measurement is cut into; the best one counts, since whatever else the machine does only takes away.
const WINDOWS: u32 = 10;

/// Floating-point operations a second (two for each multiply-add) of `threads` threads at once, at least 1, measured for
/// about `time`.
///
/// For `scalar` this is what plain Rust reaches: a multiplication and an addition, each rounded, in the vectors that
/// the compiler uses without being allowed to use more.
///
/// # Panics
/// When the system refuses a thread.
#[must_use]
pub fn operations_per_second(isa: Isa, threads: usize, time: Duration) -> f64 {
    if threads <= 1 {
        return one_thread(isa, time);
    }
    let barrier = Barrier::new(threads);
    let measure = || {
        barrier.wait();
        one_thread(isa, time)
    };
    std::thread::scope(|scope| {
        let hands: Vec<_> = (0..threads).map(|_| scope.spawn(measure)).collect();
        hands.into_iter().map(|hand| hand.join().expect("a measurement does not panic")).sum()
    })
}

fn one_thread(isa: Isa, time: Duration) -> f64 {
    let window = time / WINDOWS;
    let rates = (0..WINDOWS).map(|_| {
        let (start, mut operations) = (Instant::now(), 0);
        loop {
            operations += multiply_adds(isa, TURNS);
            let taken = start.elapsed();
            if taken >= window {
                break operations as f64 / taken.as_secs_f64();
            }
        }
    });
    rates.fold(0.0, f64::max)
}

/// Does `turns` multiply-adds in every number of every chain; returns the floating-point operations that this takes.
fn multiply_adds(isa: Isa, turns: usize) -> u64 {
    let numbers = match isa.name() {
        // SAFETY: an `Isa` of this name exists only where the processor has these features.
        #[cfg(target_arch = "x86_64")]
        IsaName::Avx2 => unsafe { avx2(turns) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        IsaName::Avx512 => unsafe { avx512(turns) },
        // SAFETY: as above.
        #[cfg(target_arch = "aarch64")]
        IsaName::Neon => unsafe { neon(turns) },
        _ => scalar(turns),
    };
    (2 * numbers * turns) as u64
}

/// The chains in plain Rust; returns their numbers. The compiler must not know how many there are, or it would unroll
/// them into single numbers.
fn scalar(turns: usize) -> usize {
    let mut numbers: [f32; SCALAR_NUMBERS] = core::array::from_fn(|at| at as f32);
    let numbers = black_box(&mut numbers[..]);
    let (a, b) = black_box((0.5_f32, 0.25_f32));
    for _ in 0..turns {
        // The multiplication is by the sum itself, so that it cannot be taken out of the loop.
        numbers.iter_mut().for_each(|sum| *sum = *sum * a + b);
    }
    black_box(&*numbers).len()
}

/// The chains on vectors; returns their numbers.
///
/// # Safety
/// The processor has V's instruction set, and the function that calls this enables it.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
#[inline(always)]
unsafe fn chains<V: Vector>(turns: usize) -> usize {
    let (a, b) = black_box((0.5_f32, 0.25_f32));
    // SAFETY: the caller's contract; the stores write the lanes of one vector to memory of 16 numbers.
    unsafe {
        let (a, b) = (V::splat(a), V::splat(b));
        // Equal chains would be computed once.
        let starts = black_box(core::array::from_fn::<f32, CHAINS, _>(|chain| chain as f32));
        let mut sums = starts.map(|start| V::splat(start));
        for _ in 0..turns {
            for sum in &mut sums {
                *sum = sum.add_product(a, b);
            }
        }
        for sum in sums {
            let mut numbers = [0.0_f32; 16];
            sum.store(numbers.as_mut_ptr());
            black_box(numbers);
        }
    }
    CHAINS * V::LANES
}

/// # Safety
/// The processor has the features.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn avx2(turns: usize) -> usize {
    // SAFETY: the caller's, and this function enables the features.
    unsafe { chains::<core::arch::x86_64::__m256>(turns) }
}

/// # Safety
/// The processor has the features.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl")]
unsafe fn avx512(turns: usize) -> usize {
    // SAFETY: the caller's, and this function enables the features.
    unsafe { chains::<core::arch::x86_64::__m512>(turns) }
}

/// # Safety
/// The processor has the feature.
#[cfg(target_arch = "aarch64")]
#[target_feature(enable = "neon")]
unsafe fn neon(turns: usize) -> usize {
    // SAFETY: the caller's, and this function enables the feature.
    unsafe { chains::<core::arch::aarch64::float32x4_t>(turns) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_instruction_set_counts_its_operations() {
        for isa in Isa::available() {
            let numbers = match isa.name() {
                IsaName::Scalar => 64,
                IsaName::Neon => 24 * 4,
                IsaName::Avx2 | IsaName::Avx512 => 12 * isa.lanes(),
            };
            assert_eq!(multiply_adds(isa, 10), (2 * numbers * 10) as u64, "{isa}");
        }
    }

    /// A rate that is zero, infinite or not a number would make every share of it senseless.
    #[cfg_attr(miri, ignore = "an interpreter has no peak")]
    #[test]
    fn a_rate_is_a_rate_on_any_number_of_threads() {
        for threads in [0, 1, 2] {
            let rate = operations_per_second(Isa::SCALAR, threads, Duration::from_millis(2));
            assert!(rate.is_finite() && rate > 0.0, "{threads} threads: {rate}");
        }
    }
}
