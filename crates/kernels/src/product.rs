//! Matrix products whose left operand is read where it lies: dense layers, convolutions over padded images, and
//! their gradients, without a copy of the windows.
//!
//! The left matrix has M rows on a grid (rows and columns of pixels, or the images of a chunk) and K columns in runs
//! of neighbouring numbers (the rows of a convolution's window). Both are described by [`Left`]; two products use it:
//!
//! - [`multiply`]: `out[m, n]` = `bias[n]` + sum over k of `left[m, k]` * `right[k, n]`, right packed into [`Panels`];
//! - [`multiply_transposed`]: `out[k, n]` += sum over m of `left[m, k]` * `right[m, n]`.
//!
//! The SIMD bodies keep a tile of the output in registers (Goto and van de Geijn 2008) and read one number of the
//! left operand and one run of the right for each multiply-add; images are small, so no further blocking is needed.

use crate::element::Element;
use crate::isa::{Isa, IsaName};
use core::iter::repeat_n;
use core::ops::Range;

pub(crate) mod simd;

/// Two nested loops over memory: `outer` times `outer_pitch`, `inner` times `inner_pitch` (in numbers).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grid {
    /// Turns of the outer loop.
    pub outer: usize,
    /// Numbers from one turn of the outer loop to the next.
    pub outer_pitch: usize,
    /// Turns of the inner loop.
    pub inner: usize,
    /// Numbers from one turn of the inner loop to the next.
    pub inner_pitch: usize,
}

impl Grid {
    /// One loop.
    #[must_use]
    pub const fn line(count: usize, pitch: usize) -> Self {
        Self { outer: 1, outer_pitch: 0, inner: count, inner_pitch: pitch }
    }

    /// Turns in all.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.outer * self.inner
    }

    /// Whether there is no turn.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.outer == 0 || self.inner == 0
    }

    /// The offset of the last turn; the grid is not empty. `None` where it passes the address space.
    fn last(&self) -> Option<usize> {
        let inner = (self.inner - 1).checked_mul(self.inner_pitch)?;
        (self.outer - 1).checked_mul(self.outer_pitch)?.checked_add(inner)
    }

    /// Numbers from the first turn's first to the last turn's last of `width` numbers each; the grid is not empty.
    pub(crate) fn span(&self, width: usize) -> Option<usize> {
        self.last()?.checked_add(width)
    }

    fn checked_len(&self) -> Option<usize> {
        self.outer.checked_mul(self.inner)
    }
}

/// How the left matrix lies in memory: element (m, k) is at `rows(m) + runs(k / run) + k % run`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Left {
    /// The M rows.
    pub rows: Grid,
    /// The runs that make a row's K columns.
    pub runs: Grid,
    /// Numbers of one run.
    pub run: usize,
}

impl Left {
    /// K.
    #[must_use]
    pub const fn columns(&self) -> usize {
        self.runs.len() * self.run
    }

    fn is_empty(&self) -> bool {
        self.rows.is_empty() || self.runs.is_empty() || self.run == 0
    }

    fn checked_columns(&self) -> Option<usize> {
        self.runs.checked_len()?.checked_mul(self.run)
    }

    /// Numbers that the matrix spans in memory. `None` where they pass the address space.
    fn span(&self) -> Option<usize> {
        if self.is_empty() {
            return Some(0);
        }
        self.rows.last()?.checked_add(self.runs.span(self.run)?)
    }
}

/// What happens to a finished sum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finish {
    /// It replaces the output.
    Store,
    /// The greater of it and zero replaces the output.
    StoreRelu,
    /// It is added to the output.
    Add,
}

/// The right matrix's layout for [`multiply`]: panels of a few vectors' width, each with its K rows one after the
/// other, zero-padded to whole vectors. The scalar body takes one panel of all N columns: the plain row-major matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Panels {
    /// Rows.
    pub k: usize,
    /// Columns.
    pub n: usize,
    lanes: usize,
    /// Vectors of every panel but the last, which may have fewer.
    vectors: usize,
    /// Whether the matrix is not packed at all.
    plain: bool,
}

impl Panels {
    /// The layout for a matrix of `k` rows and `n` columns of `T` on an instruction set.
    #[must_use]
    pub fn new<T: Element>(isa: Isa, k: usize, n: usize) -> Self {
        Self::with_lanes(k, n, T::isa(isa).lanes())
    }

    /// The plain row-major matrix as it is, which [`multiply`] reads in the same panels: for a matrix that is used too seldom
    /// for packing to pay.
    #[must_use]
    pub fn plain<T: Element>(isa: Isa, k: usize, n: usize) -> Self {
        Self { plain: true, ..Self::new::<T>(isa, k, n) }
    }

    /// The most columns of a matrix that is one panel: its rows then lie one after the other.
    #[must_use]
    pub fn widest<T: Element>(isa: Isa) -> usize {
        match T::isa(isa).lanes() {
            1 => usize::MAX,
            4 => 4 * 4,
            16 => 3 * 16,
            lanes => 2 * lanes,
        }
    }

    fn with_lanes(k: usize, n: usize, lanes: usize) -> Self {
        let vectors = n.div_ceil(lanes);
        let vectors = match lanes {
            1 => vectors,
            4 => vectors.min(4),
            16 if vectors <= 3 => vectors,
            16 => [3, 2].into_iter().find(|v| vectors.is_multiple_of(*v)).unwrap_or(2),
            _ => vectors.min(2),
        };
        Self { k, n, lanes, vectors: vectors.max(1), plain: false }
    }

    /// Numbers of one padded row over all panels; also the length of a packed bias.
    #[must_use]
    pub fn padded_columns(&self) -> usize {
        if self.plain { self.n } else { self.n.next_multiple_of(self.lanes) }
    }

    /// Numbers of the packed matrix.
    ///
    /// # Panics
    /// When they pass the address space.
    #[must_use]
    pub fn len(&self) -> usize {
        let lanes = if self.plain { 1 } else { self.lanes };
        let columns = self.n.checked_next_multiple_of(lanes);
        let len = columns.and_then(|columns| self.k.checked_mul(columns));
        len.expect("the packed matrix fits into the address space")
    }

    /// Whether the packed matrix has no number.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Columns of a panel, with those that fill its last vector; the last panel may have fewer.
    #[must_use]
    pub const fn panel_columns(&self) -> usize {
        self.vectors * self.lanes
    }

    /// The layout of some columns alone, and their place in the packed matrix.
    ///
    /// # Panics
    /// When they do not begin with a panel, or end within one that is not the last.
    #[must_use]
    pub fn cut(&self, columns: Range<usize>) -> (Self, Range<usize>) {
        let Range { start, end } = columns;
        let panel = self.panel_columns();
        assert!(start.is_multiple_of(panel), "a cut begins with a panel");
        assert!(
            end == self.n || end < self.n && end.is_multiple_of(panel),
            "a cut ends with a panel"
        );
        let cut = Self { n: end - start, ..*self };
        (cut, start * self.k..start * self.k + cut.len())
    }

    /// Packs the matrix whose element (k, n) is `at(k, n)`.
    ///
    /// # Panics
    /// When `packed` is not [`len`](Self::len) numbers long.
    pub fn pack<T: Element>(&self, packed: &mut [T], at: impl Fn(usize, usize) -> T) {
        self.arrange(packed, T::ZERO, at);
    }

    /// Brings anything that belongs to the elements into the packed order, with `padding` where there is no element.
    ///
    /// # Panics
    /// When the matrix is plain, or `packed` is not [`len`](Self::len) long.
    pub fn arrange<V: Copy>(&self, packed: &mut [V], padding: V, at: impl Fn(usize, usize) -> V) {
        assert!(!self.plain, "a plain matrix is not packed");
        assert_eq!(packed.len(), self.len(), "length of the packed matrix");
        let mut rest = packed;
        for (start, width) in self.panels() {
            let (panel, after) = rest.split_at_mut(self.k * width);
            let columns = width.min(self.n - start);
            for (k, row) in panel.chunks_exact_mut(width).enumerate() {
                let (row, tail) = row.split_at_mut(columns);
                row.iter_mut().enumerate().for_each(|(lane, value)| *value = at(k, start + lane));
                tail.fill(padding);
            }
            rest = after;
        }
    }

    /// First column and padded width of each panel.
    pub(crate) fn panels(self) -> impl Iterator<Item = (usize, usize)> {
        let widths = self.widths().into_iter().flat_map(|(width, count)| repeat_n(width, count));
        widths.scan(0, |columns, width| {
            *columns += width;
            Some((*columns - width, width))
        })
    }

    /// The padded widths that panels have, with how many there are of each, in their order.
    pub(crate) fn widths(self) -> [(usize, usize); 2] {
        let (full, padded) = (self.vectors * self.lanes, self.n.next_multiple_of(self.lanes));
        [(full, padded / full), (padded % full, usize::from(!padded.is_multiple_of(full)))]
    }
}

/// `out[m, n]` = finish(`bias[n]` + sum over k of `left[m, k]` * `right[k, n]`).
///
/// # Shapes
/// `left` holds what `geometry` describes; `right` is packed by `panels`; `bias`, where there is one, is
/// `panels.padded_columns()` long; out's row m begins at `out_rows(m)` and is `panels.n` long.
///
/// # Panics
/// When a slice is too short, the grids of rows differ, or K differs.
#[allow(clippy::too_many_arguments)]
pub fn multiply<T: Element>(
    isa: Isa,
    geometry: &Left,
    left: &[T],
    panels: &Panels,
    right: &[T],
    bias: Option<&[T]>,
    finish: Finish,
    out_rows: &Grid,
    out: &mut [T],
) {
    if geometry.rows.is_empty() || panels.n == 0 {
        return;
    }
    assert_eq!(geometry.checked_columns(), Some(panels.k), "columns of left and rows of right");
    check_rows(geometry, out_rows);
    assert!(reaches(left, geometry.span()), "left is too short");
    assert_eq!(right.len(), panels.len(), "length of the packed right matrix");
    assert!(bias.is_none_or(|bias| bias.len() == panels.padded_columns()), "length of the bias");
    assert!(reaches(out, out_rows.span(panels.n)), "out is too short");
    assert_eq!(panels.lanes, T::isa(isa).lanes(), "panels for the same instruction set");
    let product = Product { geometry, left, panels, right, bias, finish, out_rows };
    T::run_product(T::isa(isa), &product, out);
}

/// `out[k, n]` += sum over m of `left[m, k]` * `right[m, n]`: the gradient of the right matrix of [`multiply`].
///
/// # Shapes
/// `left` holds what `geometry` describes; right's row m begins at `right_rows(m)` and is `n` long; `out` is
/// [K, `out_pitch`] of which the first `n` columns are written.
///
/// # Panics
/// When a slice is too short or the grids of rows differ.
#[allow(clippy::too_many_arguments)]
pub fn multiply_transposed<T: Element>(
    isa: Isa,
    geometry: &Left,
    left: &[T],
    right_rows: &Grid,
    right: &[T],
    n: usize,
    out: &mut [T],
    out_pitch: usize,
) {
    let finish = Finish::Add;
    finish_transposed(isa, geometry, left, right_rows, right, n, finish, out, out_pitch);
}

/// As [`multiply_transposed`], with another finish than [`Finish::Add`].
///
/// # Panics
/// As `multiply_transposed`.
#[allow(clippy::too_many_arguments)]
pub fn finish_transposed<T: Element>(
    isa: Isa,
    geometry: &Left,
    left: &[T],
    right_rows: &Grid,
    right: &[T],
    n: usize,
    finish: Finish,
    out: &mut [T],
    out_pitch: usize,
) {
    if geometry.is_empty() || n == 0 {
        return;
    }
    check_rows(geometry, right_rows);
    assert!(reaches(left, geometry.span()), "left is too short");
    assert!(reaches(right, right_rows.span(n)), "right is too short");
    assert!(out_pitch >= n, "out's rows overlap");
    let rows = geometry.checked_columns().map(|columns| Grid::line(columns, out_pitch));
    assert!(reaches(out, rows.and_then(|rows| rows.span(n))), "out is too short");
    let product = Transposed { geometry, left, right_rows, right, n, out_pitch, finish };
    T::run_transposed(T::isa(isa), &product, out);
}

/// Whether a slice has so many numbers; `None` is more than any slice has.
fn reaches<T>(slice: &[T], len: Option<usize>) -> bool {
    len.is_some_and(|len| slice.len() >= len)
}

fn check_rows(geometry: &Left, other: &Grid) {
    assert_eq!(
        (geometry.rows.outer, geometry.rows.inner),
        (other.outer, other.inner),
        "the grid of rows is the same on both sides"
    );
}

/// The operands of [`multiply`], checked.
pub(crate) struct Product<'a, T> {
    geometry: &'a Left,
    left: &'a [T],
    panels: &'a Panels,
    right: &'a [T],
    bias: Option<&'a [T]>,
    finish: Finish,
    out_rows: &'a Grid,
}

/// The operands of [`multiply_transposed`], checked.
pub(crate) struct Transposed<'a, T> {
    geometry: &'a Left,
    left: &'a [T],
    right_rows: &'a Grid,
    right: &'a [T],
    n: usize,
    out_pitch: usize,
    finish: Finish,
}

/// The products' bodies of a number type.
pub trait ProductBodies: Sized {
    #[doc(hidden)]
    #[allow(private_interfaces)]
    fn run_product(isa: Isa, product: &Product<'_, Self>, out: &mut [Self]);
    #[doc(hidden)]
    #[allow(private_interfaces)]
    fn run_transposed(isa: Isa, product: &Transposed<'_, Self>, out: &mut [Self]);
}

impl ProductBodies for f32 {
    #[allow(private_interfaces)]
    fn run_product(isa: Isa, product: &Product<'_, Self>, out: &mut [Self]) {
        match isa.name() {
            IsaName::Scalar => scalar_product(product, out),
            #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
            _ => simd::product(isa, product, out),
            #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
            _ => scalar_product(product, out),
        }
    }

    #[allow(private_interfaces)]
    fn run_transposed(isa: Isa, product: &Transposed<'_, Self>, out: &mut [Self]) {
        match isa.name() {
            IsaName::Scalar => scalar_transposed(product, out),
            #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
            _ => simd::transposed(isa, product, out),
            #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
            _ => scalar_transposed(product, out),
        }
    }
}

impl ProductBodies for f64 {
    #[allow(private_interfaces)]
    fn run_product(_: Isa, product: &Product<'_, Self>, out: &mut [Self]) {
        scalar_product(product, out);
    }

    #[allow(private_interfaces)]
    fn run_transposed(_: Isa, product: &Transposed<'_, Self>, out: &mut [Self]) {
        scalar_transposed(product, out);
    }
}

/// Every (start, index) of a grid, in order.
fn turns(grid: Grid) -> impl Iterator<Item = usize> {
    (0..grid.outer).flat_map(move |outer| {
        (0..grid.inner).map(move |inner| outer * grid.outer_pitch + inner * grid.inner_pitch)
    })
}

/// The truth of [`multiply`].
fn scalar_product<T: Element>(product: &Product<'_, T>, out: &mut [T]) {
    let Product { geometry, left, panels, right, bias, finish, out_rows } = *product;
    for (row, to) in turns(geometry.rows).zip(turns(*out_rows)) {
        let out = &mut out[to..to + panels.n];
        match bias {
            Some(bias) if finish == Finish::Add => {
                out.iter_mut().zip(bias).for_each(|(sum, bias)| *sum += *bias);
            }
            Some(bias) => out.copy_from_slice(&bias[..panels.n]),
            None if finish == Finish::Add => {}
            None => out.fill(T::ZERO),
        }
        let mut right = right.chunks_exact(panels.n);
        for run in turns(geometry.runs) {
            for (x, weights) in left[row + run..][..geometry.run].iter().zip(&mut right) {
                out.iter_mut().zip(weights).for_each(|(sum, w)| *sum += *x * *w);
            }
        }
        if finish == Finish::StoreRelu {
            out.iter_mut().for_each(|x| *x = x.relu());
        }
    }
}

/// The truth of [`finish_transposed`].
fn scalar_transposed<T: Element>(product: &Transposed<'_, T>, out: &mut [T]) {
    let Transposed { geometry, left, right_rows, right, n, out_pitch, finish } = *product;
    let rows = out.chunks_mut(out_pitch).take(geometry.columns());
    if finish != Finish::Add {
        rows.for_each(|row| row[..n].fill(T::ZERO));
    }
    for (row, from) in turns(geometry.rows).zip(turns(*right_rows)) {
        let right = &right[from..from + n];
        let mut k = 0;
        for run in turns(geometry.runs) {
            for x in &left[row + run..][..geometry.run] {
                let out = &mut out[k * out_pitch..][..n];
                out.iter_mut().zip(right).for_each(|(sum, g)| *sum += *x * *g);
                k += 1;
            }
        }
    }
    if finish == Finish::StoreRelu {
        let rows = out.chunks_mut(out_pitch).take(geometry.columns());
        rows.for_each(|row| row[..n].iter_mut().for_each(|x| *x = x.relu()));
    }
}
