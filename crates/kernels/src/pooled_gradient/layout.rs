//! Where the windows of one image are read: in the frame as it is, or in copies of it whose loads stay within their cache
//! lines.

use super::{PooledWindows, SMALL};

/// Numbers of a cache line.
const LINE: usize = 16;

/// The most numbers of copies: with gradients and marks they stay in the first cache.
const MOST: usize = 1 << 13;

/// How often a run is read, at least, for copying it to pay.
const READS: usize = 32;

/// What is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// The frame.
    InPlace,
    /// Each row twice, the second time half a line farther on: of the two a run of half a line lies within its line in one.
    Twice,
    /// The padded run of each row's each window, on lines of its own.
    Runs,
}

/// A form and its distances.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    pub form: Form,
    /// Numbers from a row to the next.
    pub row_pitch: usize,
    /// Numbers from a pixel's windows to those of the pixel below.
    pub down: usize,
    /// Numbers of a padded run.
    pub padded: usize,
}

impl Layout {
    /// For vectors of `lanes` numbers.
    pub(super) fn new(windows: &PooledWindows, lanes: usize) -> Self {
        let form = Self::form(windows, lanes);
        let padded = windows.run.next_multiple_of(lanes);
        let row_pitch = match form {
            Form::InPlace => windows.row_pitch,
            Form::Twice => 2 * windows.row_pitch.next_multiple_of(LINE) + LINE,
            Form::Runs => 2 * windows.output[1] * padded,
        };
        let down = windows.steps[0] / windows.row_pitch.max(1) * row_pitch;
        Self { form, row_pitch, down, padded }
    }

    fn form(windows: &PooledWindows, lanes: usize) -> Form {
        let PooledWindows { row_pitch, steps, run, .. } = *windows;
        let rows = frame_rows(windows);
        let (twice, runs) = (
            rows * (2 * row_pitch.next_multiple_of(LINE) + LINE),
            rows * 2 * windows.output[1] * run.next_multiple_of(lanes),
        );
        if row_pitch.is_multiple_of(lanes) && steps[1].is_multiple_of(lanes)
            || !steps[0].is_multiple_of(row_pitch.max(1))
            || windows.outputs * windows.rows < READS
        {
            Form::InPlace
        } else if lanes == SMALL && run <= SMALL && twice <= MOST {
            Form::Twice
        } else if run > SMALL && runs <= MOST {
            Form::Runs
        } else {
            Form::InPlace
        }
    }

    pub(super) fn copies(&self) -> bool {
        self.form != Form::InPlace
    }

    /// Numbers of offsets and of what is copied.
    pub(super) fn len(&self, windows: &PooledWindows) -> usize {
        let copies = if self.copies() { frame_rows(windows) * self.row_pitch } else { 0 };
        self.offsets_len(windows) + self.starts_len(windows) + copies
    }

    /// Numbers of an image's offsets.
    pub(super) fn offsets_len(&self, windows: &PooledWindows) -> usize {
        (windows.pixels() * windows.outputs).next_multiple_of(LINE)
    }

    /// Numbers of [`write_starts`](Self::write_starts).
    pub(super) fn starts_len(&self, windows: &PooledWindows) -> usize {
        (2 * windows.pixels()).next_multiple_of(LINE)
    }

    /// Writes for each pooled pixel where the window of the upper left of its four begins, then those of the upper right; as
    /// bits, since memory is of f32.
    pub(super) fn write_starts(&self, windows: &PooledWindows, starts: &mut [f32]) {
        let (left, right) = starts[..2 * windows.pixels()].split_at_mut(windows.pixels());
        for (pixel, (left, right)) in left.iter_mut().zip(right).enumerate() {
            let (y, x) = (pixel / windows.output[1], pixel % windows.output[1]);
            let start = |column| f32::from_bits((2 * y * self.down + column) as u32);
            *left = start(self.column(windows, 2 * x));
            *right = start(self.column(windows, 2 * x + 1));
        }
    }

    /// Where in a row the windows of a column of pixels begin.
    fn column(&self, windows: &PooledWindows, column: usize) -> usize {
        let start = column * windows.steps[1];
        match self.form {
            Form::InPlace => start,
            Form::Twice if start % LINE <= LINE - SMALL => start,
            Form::Twice => windows.row_pitch.next_multiple_of(LINE) + LINE / 2 + start,
            Form::Runs => column * self.padded,
        }
    }
}

/// Whole rows of a frame.
pub(super) fn frame_rows(windows: &PooledWindows) -> usize {
    windows.frame_len / windows.row_pitch.max(1)
}
