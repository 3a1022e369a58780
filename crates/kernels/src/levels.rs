//! From grey levels to what a network reads.

use crate::body::per_isa;

per_isa! {
    /// `out[i]` = `levels[i]` * `factors[i]` + `offsets[i]`, where factors and offsets begin anew after the last.
    ///
    /// # Panics
    /// When `levels` and `out`, or `factors` and `offsets`, differ in length.
    pub fn scale(levels: &[u8], factors: &[f32], offsets: &[f32], out: &mut [f32]) {
        assert_eq!(levels.len(), out.len(), "a number for each level");
        assert_eq!(factors.len(), offsets.len(), "an offset for each factor");
        let period = factors.len().max(1);
        for (out, levels) in out.chunks_mut(period).zip(levels.chunks(period)) {
            let (factors, offsets) = (&factors[..out.len()], &offsets[..out.len()]);
            for (((out, level), factor), offset) in out.iter_mut().zip(levels).zip(factors).zip(offsets) {
                *out = f32::from(*level) * factor + offset;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::isa::Isa;

    /// No tolerance: one multiplication, one addition, whatever the instruction set.
    #[test]
    fn every_instruction_set_gives_the_same_bits() {
        for len in [0, 1, 7, 96, 300] {
            let levels: Vec<u8> = (0..len).map(|i| (i * 37 % 256) as u8).collect();
            let factors: Vec<f32> = (0..96).map(|i| 0.013 + i as f32 * 0.001).collect();
            let offsets: Vec<f32> = (0..96).map(|i| -0.4 - i as f32 * 0.01).collect();
            let want: Vec<f32> = (0..len)
                .map(|i| f32::from(levels[i]) * factors[i % 96] + offsets[i % 96])
                .collect();
            for isa in Isa::available() {
                let mut out = vec![f32::NAN; len];
                scale(isa, &levels, &factors, &offsets, &mut out);
                assert_eq!(out, want, "{isa} {len}");
                println!("scaled {len} levels with {isa}");
            }
        }
    }
}
