//! Register tiles: the inner loops of all matrix products.
//!
//! A tile holds its sums in registers. [`product`] makes a few rows (pixels, images) of an output
//! by a block of its columns (channels), [`outer`] a few rows of a weight gradient by a block of
//! its columns. Both load vectors of a block and broadcast the other factor.

use crate::buffer::Buffer;
use crate::lengths::checked_product;
use crate::simd::{Isa, Routine, Simd};

/// The most vectors of a channel block that tiles are compiled for.
const MAX_VECTORS: usize = 4;

/// The most vectors of a block that tiles with half a vector at the end are compiled for: the more
/// vectors, the less a half saves.
const MAX_VECTORS_WITH_HALF: usize = 2;

/// The most numbers broadcast to a tile that tiles are compiled for.
const MAX_BROADCASTS: usize = 14;

/// Vectors in the largest block.
const fn max_vectors<S: Simd>() -> usize {
    if S::REGISTERS >= 32 {
        MAX_VECTORS
    } else if S::REGISTERS >= 16 {
        3
    } else {
        1
    }
}

/// Broadcasts in the largest tile with `vectors` vectors: as many as leave a register for each
/// vector of the block and one for the broadcast. Where that would be every single register, 3 × 4
/// sums in 16 registers, compilers store some of the sums in between: one number less.
const fn max_broadcasts<S: Simd>(vectors: usize) -> usize {
    let most = if S::REGISTERS == 16 && vectors == 3 {
        3
    } else {
        (S::REGISTERS - 1 - vectors) / vectors
    };
    if most < MAX_BROADCASTS {
        most
    } else {
        MAX_BROADCASTS
    }
}

/// `len` split into as few pieces of at most `max` as possible, as equal as possible: their starts
/// and lengths.
#[inline(always)]
fn split_evenly(len: usize, max: usize) -> impl Iterator<Item = (usize, usize)> {
    let count = len.div_ceil(max).max(1);
    let (size, longer) = (len / count, len % count);
    (0..count).map(move |piece| {
        let start = piece * size + piece.min(longer);
        (start, size + usize::from(piece < longer))
    })
}

/// How channels are divided into blocks of whole vectors.
///
/// In a panel, blocks follow each other, each `[depth][channels of the block]`, the last one filled
/// up with zeros to whole vectors.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ChannelBlocks {
    channels: usize,
    lanes: usize,
    /// Vectors in the first blocks; the others have one less.
    vectors: usize,
    /// Number of blocks.
    count: usize,
    /// How many blocks have `vectors`.
    full: usize,
    /// Half vectors take half the time.
    has_half: bool,
}

/// Some channels that are computed together.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ChannelBlock {
    /// The first channel.
    pub first_channel: usize,
    /// Number of vectors.
    pub vectors: usize,
    /// Channels in the last vector: lanes of it that are used.
    pub last_lanes: usize,
    /// The last vector is computed as half a one.
    pub half: bool,
}

/// A channel's numbers in a panel.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PanelColumn {
    /// Where that of the first row stands.
    pub start: usize,
    /// From one row to the next.
    pub stride: usize,
}

impl ChannelBlocks {
    pub(crate) fn new(isa: Isa, channels: usize) -> Self {
        struct Widest;
        impl Routine for Widest {
            type Output = (usize, usize, bool);
            #[inline(always)]
            fn run<S: Simd>(self, _: S) -> (usize, usize, bool) {
                (S::LANES, max_vectors::<S>(), S::HAS_HALF)
            }
        }
        assert!(channels > 0, "there is no channel to compute");
        let (lanes, max, has_half) = isa.run(Widest);
        let total = channels.div_ceil(lanes);
        // With 16 registers, tiles of two vectors are the best; but one vector that is left over
        // has a broadcast for every product, and is better computed as the third of three.
        let max = if max == 3 && total.is_multiple_of(2) {
            2
        } else {
            max
        };
        let count = total.div_ceil(max);
        let vectors = total.div_ceil(count);
        Self {
            channels,
            lanes,
            vectors,
            count,
            full: total - count * (vectors - 1),
            has_half,
        }
    }

    pub(crate) fn channels(&self) -> usize {
        self.channels
    }

    /// Channels in a vector.
    pub(crate) fn lanes(&self) -> usize {
        self.lanes
    }

    /// Panics if the blocks are of other vectors than those of `S`, which would load and store what
    /// is not in a panel.
    #[inline(always)]
    fn check_vectors<S: Simd>(&self) {
        assert_eq!(self.lanes, S::LANES, "the blocks are of other vectors");
    }

    pub(crate) fn get(&self, index: usize) -> ChannelBlock {
        let before = index * self.vectors - index.saturating_sub(self.full);
        let vectors = self.vectors - usize::from(index >= self.full);
        let first_channel = before * self.lanes;
        let end = self.channels.min(first_channel + vectors * self.lanes);
        let last_lanes = end - first_channel - (vectors - 1) * self.lanes;
        ChannelBlock {
            first_channel,
            vectors,
            last_lanes,
            half: self.has_half && vectors <= MAX_VECTORS_WITH_HALF && 2 * last_lanes <= self.lanes,
        }
    }

    pub(crate) fn iter(self) -> impl Iterator<Item = ChannelBlock> {
        (0..self.count).map(move |index| self.get(index))
    }

    /// Numbers in a row of the panel of `block`: its channels, filled up to whole vectors.
    pub(crate) fn padded_width(&self, block: ChannelBlock) -> usize {
        block.vectors * self.lanes
    }

    /// Number of channels in `block`.
    pub(crate) fn channels_of(&self, block: ChannelBlock) -> usize {
        (block.vectors - 1) * self.lanes + block.last_lanes
    }

    /// Numbers in a panel of `depth` rows.
    pub(crate) fn panel_len(&self, depth: usize) -> usize {
        checked_product([self.channels.div_ceil(self.lanes), self.lanes, depth])
    }

    /// Room for the sums of a panel of `depth` rows, of any numbers, but for zeros beyond the channels: these are
    /// added up with the sums, and denormal numbers or NaN, though nobody reads them, would take longer.
    pub(crate) fn room_for_sums(&self, depth: usize) -> Buffer {
        let len = self.panel_len(depth);
        if self.channels.is_multiple_of(self.lanes) {
            Buffer::new(len)
        } else {
            Buffer::zeros(len)
        }
    }

    /// A bias, or zeros, as a panel of one row.
    pub(crate) fn padded_bias(&self, bias: Option<&[f32]>) -> Vec<f32> {
        let mut padded = vec![0.0; self.panel_len(1)];
        if let Some(bias) = bias {
            padded[..bias.len()].copy_from_slice(bias);
        }
        padded
    }

    /// Where the numbers of `channel` stand in a panel of `depth` rows.
    pub(crate) fn column(&self, channel: usize, depth: usize) -> PanelColumn {
        let vector = channel / self.lanes;
        let in_full = self.full * self.vectors;
        let index = if vector < in_full {
            vector / self.vectors
        } else {
            self.full + (vector - in_full) / (self.vectors - 1)
        };
        let block = self.get(index);
        PanelColumn {
            start: block.first_channel * depth + channel - block.first_channel,
            stride: self.padded_width(block),
        }
    }
}

/// Numbers at pixels in rows, among others in memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Strided<'a> {
    pub data: &'a [f32],
    /// Where the first number of the first pixel stands.
    pub start: usize,
    /// From one row to the next.
    pub row_stride: usize,
    /// From one pixel of a row to the next.
    pub pixel_stride: usize,
}

/// [`Strided`] for numbers that are written.
#[derive(Debug)]
pub(crate) struct StridedMut<'a> {
    pub data: &'a mut [f32],
    /// Where the first number of the first pixel stands.
    pub start: usize,
    /// From one row to the next.
    pub row_stride: usize,
    /// From one pixel of a row to the next.
    pub pixel_stride: usize,
}

impl Strided<'_> {
    /// Whether `len` numbers at every pixel of so many rows and columns, at least one of each, lie in
    /// the slice. Nothing wraps around.
    #[inline(always)]
    pub(crate) fn covers(&self, [rows, columns]: [usize; 2], len: usize) -> bool {
        let end = || {
            let row = rows.checked_sub(1)?.checked_mul(self.row_stride)?;
            let pixel = columns.checked_sub(1)?.checked_mul(self.pixel_stride)?;
            let first = self.start.checked_add(row)?.checked_add(pixel)?;
            first.checked_add(len)
        };
        end().is_some_and(|end| end <= self.data.len())
    }
}

impl StridedMut<'_> {
    /// The same numbers, to be read.
    #[inline(always)]
    fn as_strided(&self) -> Strided<'_> {
        Strided {
            data: self.data,
            start: self.start,
            row_stride: self.row_stride,
            pixel_stride: self.pixel_stride,
        }
    }
}

/// What sums begin with.
#[derive(Clone, Copy)]
pub(crate) enum Start<B> {
    Zero,
    /// The same vector of the block for every pixel.
    Bias(B),
    /// What the target holds.
    Target,
}

/// The product of an image's pixels and a panel:
/// `target[pixel][channel] = start + Σ source[pixel][tap][i] · panel[tap][i][channel]`.
///
/// The one routine for products, so that tiles are compiled once for each instruction set.
pub(crate) struct MatrixProduct<'a> {
    pub blocks: ChannelBlocks,
    pub panel: &'a [f32],
    /// Rows of each block in the panel.
    pub panel_depth: usize,
    /// The first row that is used.
    pub panel_first_row: usize,
    /// From the panel for one row of the target to that for the next.
    pub panel_row_stride: usize,
    pub start: Start<&'a [f32]>,
    /// The first tap for each pixel of the target.
    pub source: Strided<'a>,
    pub taps: usize,
    /// Numbers of a tap.
    pub tap_len: usize,
    /// From one tap to the next, in the source.
    pub tap_stride: usize,
    pub target: StridedMut<'a>,
    /// Rows and columns of the target.
    pub size: [usize; 2],
}

impl MatrixProduct<'_> {
    /// Panics if the product would leave its slices.
    fn check(&self) {
        let depth = checked_product([self.taps, self.tap_len]);
        assert!(depth <= self.panel_depth && self.panel_first_row <= self.panel_depth - depth);
        let panel = Strided {
            data: self.panel,
            start: 0,
            row_stride: self.panel_row_stride,
            pixel_stride: 0,
        };
        assert!(panel.covers([self.size[0], 1], self.blocks.panel_len(self.panel_depth)));
        if let Start::Bias(bias) = self.start {
            assert!(bias.len() >= self.blocks.panel_len(1));
        }
        assert!(
            self.source_len()
                .is_some_and(|len| self.source.covers(self.size, len))
        );
        let target = self.target.as_strided();
        assert!(target.covers(self.size, self.blocks.channels()));
    }

    /// Numbers of the source from the first of a pixel's first tap to the last of its last; `None`
    /// where they are too many to be counted.
    fn source_len(&self) -> Option<usize> {
        let to_last_tap = (self.taps.max(1) - 1).checked_mul(self.tap_stride)?;
        to_last_tap.checked_add(self.tap_len)
    }
}

impl Routine for MatrixProduct<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let [rows, columns] = self.size;
        if rows == 0 || columns == 0 {
            return;
        }
        self.check();
        self.blocks.check_vectors::<S>();
        let Self { source, target, .. } = self;
        for block in self.blocks.iter() {
            // SAFETY: `check` has made sure that every address below lies in its slice, and
            // `check_vectors` that the vectors are those that it counted on.
            unsafe {
                let first_channel = block.first_channel;
                let panel_start = first_channel * self.panel_depth
                    + self.panel_first_row * self.blocks.padded_width(block);
                let start = match self.start {
                    Start::Zero => Start::Zero,
                    Start::Bias(bias) => Start::Bias(bias.as_ptr().add(first_channel)),
                    Start::Target => Start::Target,
                };
                for row in 0..rows {
                    let panel = self
                        .panel
                        .as_ptr()
                        .add(panel_start + row * self.panel_row_stride);
                    let from = source.start + row * source.row_stride;
                    let to = target.start + row * target.row_stride + first_channel;
                    let pieces = split_evenly(columns, max_broadcasts::<S>(block.vectors));
                    for (first, pixels) in pieces {
                        let tile = ProductTile {
                            panel,
                            start,
                            source: source.data.as_ptr().add(from + first * source.pixel_stride),
                            source_pixel_stride: source.pixel_stride,
                            taps: self.taps,
                            tap_len: self.tap_len,
                            tap_stride: self.tap_stride,
                            target: target
                                .data
                                .as_mut_ptr()
                                .add(to + first * target.pixel_stride),
                            target_pixel_stride: target.pixel_stride,
                            last_lanes: block.last_lanes,
                        };
                        product(simd, block, pixels, tile);
                    }
                }
            }
        }
    }
}

/// `sums[i][channel] = Σ source[pixel][i] · gradient[pixel][channel]` over the pixels of some
/// rows, or that added: the one routine for gradients of weights.
pub(crate) struct OuterProduct<'a> {
    pub blocks: ChannelBlocks,
    /// Numbers of the source at each pixel.
    pub inputs: usize,
    pub source: Strided<'a>,
    pub gradient: Strided<'a>,
    /// Rows and columns of pixels, at least one of each.
    pub size: [usize; 2],
    /// Whether it is added to what the sums hold.
    pub accumulate: bool,
    pub sums: &'a mut [f32],
    pub order: Order,
}

/// The order of sums in memory.
#[derive(Clone, Copy)]
pub(crate) enum Order {
    /// That of a panel of `depth` rows, from a row on.
    Panel { depth: usize, first_row: usize },
    /// `[i][channel]`.
    Plain,
}

impl Routine for OuterProduct<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let [rows, columns] = self.size;
        let Self {
            source, gradient, ..
        } = self;
        let channels = self.blocks.channels();
        self.blocks.check_vectors::<S>();
        assert!(source.covers(self.size, self.inputs));
        assert!(gradient.covers(self.size, channels));
        assert!(match self.order {
            Order::Panel { depth, first_row } =>
                self.inputs <= depth
                    && first_row <= depth - self.inputs
                    && self.blocks.panel_len(depth) <= self.sums.len(),
            Order::Plain => checked_product([self.inputs, channels]) <= self.sums.len(),
        });
        for block in self.blocks.iter() {
            let first_channel = block.first_channel;
            let (start, row_stride) = match self.order {
                Order::Panel { depth, first_row } => {
                    let width = self.blocks.padded_width(block);
                    (first_channel * depth + first_row * width, width)
                }
                Order::Plain => (first_channel, channels),
            };
            for (first, inputs) in split_evenly(self.inputs, max_broadcasts::<S>(block.vectors)) {
                // SAFETY: all addresses lie in their slices, of vectors such as `S` has, as asserted
                // above.
                unsafe {
                    let tile = OuterTile {
                        source: source.data.as_ptr().add(source.start + first),
                        source_row_stride: source.row_stride,
                        source_pixel_stride: source.pixel_stride,
                        gradient: gradient.data.as_ptr().add(gradient.start + first_channel),
                        gradient_row_stride: gradient.row_stride,
                        gradient_pixel_stride: gradient.pixel_stride,
                        rows,
                        columns,
                        last_lanes: block.last_lanes,
                        accumulate: self.accumulate,
                        sums: self.sums.as_mut_ptr().add(start + first * row_stride),
                        sums_row_stride: row_stride,
                    };
                    outer(simd, block, inputs, tile);
                }
            }
        }
    }
}

/// `target[pixel][channel] = start + Σ source[pixel][tap][i] · panel[tap][i][channel]`.
#[derive(Clone, Copy)]
struct ProductTile {
    /// `[taps][tap_len][channels of the block]`.
    panel: *const f32,
    start: Start<*const f32>,
    source: *const f32,
    source_pixel_stride: usize,
    taps: usize,
    tap_len: usize,
    tap_stride: usize,
    target: *mut f32,
    target_pixel_stride: usize,
    /// Channels in the last vector of the block.
    last_lanes: usize,
}

/// `sums[i][channel] = Σ source[pixel][i] · gradient[pixel][channel]`, over the pixels of some
/// rows, or that added.
#[derive(Clone, Copy)]
struct OuterTile {
    source: *const f32,
    source_row_stride: usize,
    source_pixel_stride: usize,
    gradient: *const f32,
    gradient_row_stride: usize,
    gradient_pixel_stride: usize,
    rows: usize,
    columns: usize,
    /// Channels in the last vector of the block.
    last_lanes: usize,
    accumulate: bool,
    /// `[i][channels of the block]`.
    sums: *mut f32,
    sums_row_stride: usize,
}

/// Calls `$function::<S, VECTORS, BROADCASTS, HALF>` for the sizes at run time.
macro_rules! for_size {
    ($block:expr, $broadcasts:expr, $function:ident($simd:expr, $argument:expr)) => {
        for_size!($block, $broadcasts, $function($simd, $argument);
            true 1: 1 2 3 4 5 6 7 8 9 10 11 12 13 14,
            true 2: 1 2 3 4 5 6 7 8 9 10 11 12 13 14,
            false 1: 1 2 3 4 5 6 7 8 9 10 11 12 13 14,
            false 2: 1 2 3 4 5 6 7 8 9 10 11 12 13 14,
            false 3: 1 2 3 4 5 6 7 8 9,
            false 4: 1 2 3 4 5 6)
    };
    ($block:expr, $broadcasts:expr, $function:ident($simd:expr, $argument:expr);
     $( $half:literal $v:literal: $($b:literal)* ),*) => {
        match ($block.half, $block.vectors, $broadcasts) {
            $($( ($half, $v, $b)
                if (S::HAS_HALF || !$half)
                    && $v <= max_vectors::<S>()
                    && $b <= max_broadcasts::<S>($v) =>
                // SAFETY: the caller's.
                unsafe { $function::<S, $v, $b, $half>($simd, $argument) }, )*)*
            _ => unreachable!("`ChannelBlocks` and `split_evenly` keep to the sizes that are compiled"),
        }
    };
}

/// # Safety
///
/// All that the loops address must be readable, the target's first `last_lanes` channels of the last
/// vector and all of the others writable.
#[inline(always)]
unsafe fn product<S: Simd>(simd: S, block: ChannelBlock, pixels: usize, product: ProductTile) {
    for_size!(block, pixels, product_tile(simd, product));
}

/// # Safety
///
/// All that the loops address must be readable, the sums writable.
#[inline(always)]
unsafe fn outer<S: Simd>(simd: S, block: ChannelBlock, inputs: usize, outer: OuterTile) {
    for_size!(block, inputs, outer_tile(simd, outer));
}

/// Numbers for the channels of a block: vectors, the last of which may be half a one.
#[derive(Clone, Copy)]
struct Channels<S: Simd, const V: usize, const HALF: bool> {
    vectors: [S::F32; V],
    half: <S::Half as Simd>::F32,
}

impl<S: Simd, const V: usize, const HALF: bool> Channels<S, V, HALF> {
    #[inline(always)]
    fn zero(simd: S) -> Self {
        Self {
            vectors: [simd.splat(0.0); V],
            half: simd.half().splat(0.0),
        }
    }

    /// The numbers at `from`, of which the last vector has `last_lanes`.
    ///
    /// # Safety
    ///
    /// They must be readable.
    #[inline(always)]
    unsafe fn load(simd: S, from: *const f32, last_lanes: usize) -> Self {
        let mut channels = Self::zero(simd);
        // SAFETY: the caller's.
        unsafe {
            for v in 0..V {
                let from = from.add(v * S::LANES);
                if v + 1 < V {
                    channels.vectors[v] = simd.load(from);
                } else if HALF {
                    channels.half = simd.half().load_first(from, last_lanes);
                } else if last_lanes < S::LANES {
                    channels.vectors[v] = simd.load_first(from, last_lanes);
                } else {
                    channels.vectors[v] = simd.load(from);
                }
            }
        }
        channels
    }

    /// Stores the numbers to `to`, of which the last vector has `last_lanes`.
    ///
    /// # Safety
    ///
    /// They must be writable.
    #[inline(always)]
    unsafe fn store(self, simd: S, to: *mut f32, last_lanes: usize) {
        // SAFETY: the caller's.
        unsafe {
            for v in 0..V {
                let to = to.add(v * S::LANES);
                if v + 1 < V {
                    simd.store(to, self.vectors[v]);
                } else if HALF {
                    simd.half().store_first(to, last_lanes, self.half);
                } else if last_lanes < S::LANES {
                    simd.store_first(to, last_lanes, self.vectors[v]);
                } else {
                    simd.store(to, self.vectors[v]);
                }
            }
        }
    }

    /// Adds x · factors.
    #[inline(always)]
    fn add_product(&mut self, simd: S, x: S::F32, factors: &Self) {
        for v in 0..V {
            if HALF && v + 1 == V {
                let x = simd.first_half(x);
                self.half = simd.half().mul_add(x, factors.half, self.half);
            } else {
                self.vectors[v] = simd.mul_add(x, factors.vectors[v], self.vectors[v]);
            }
        }
    }
}

/// # Safety
///
/// As for [`product`].
#[inline(always)]
unsafe fn product_tile<S: Simd, const V: usize, const P: usize, const HALF: bool>(
    simd: S,
    product: ProductTile,
) {
    let ProductTile {
        panel,
        start,
        source,
        source_pixel_stride,
        taps,
        tap_len,
        tap_stride,
        target,
        target_pixel_stride,
        last_lanes,
    } = product;
    // A panel has whole vectors.
    let panel_last = if HALF { S::LANES / 2 } else { S::LANES };
    // SAFETY: the caller's.
    unsafe {
        let mut sums = [Channels::<S, V, HALF>::zero(simd); P];
        for (p, sums) in sums.iter_mut().enumerate() {
            *sums = match start {
                Start::Zero => Channels::zero(simd),
                Start::Bias(bias) => Channels::load(simd, bias, panel_last),
                Start::Target => {
                    Channels::load(simd, target.add(p * target_pixel_stride), last_lanes)
                }
            };
        }
        let mut panel = panel;
        for tap in 0..taps {
            let source = source.add(tap * tap_stride);
            for i in 0..tap_len {
                let weights = Channels::load(simd, panel, panel_last);
                panel = panel.add(V * S::LANES);
                for (p, sums) in sums.iter_mut().enumerate() {
                    let x = simd.splat(*source.add(i + p * source_pixel_stride));
                    sums.add_product(simd, x, &weights);
                }
            }
        }
        for (p, sums) in sums.iter().enumerate() {
            sums.store(simd, target.add(p * target_pixel_stride), last_lanes);
        }
    }
}

/// # Safety
///
/// As for [`outer`].
#[inline(always)]
unsafe fn outer_tile<S: Simd, const V: usize, const I: usize, const HALF: bool>(
    simd: S,
    outer: OuterTile,
) {
    let OuterTile {
        source,
        source_row_stride,
        source_pixel_stride,
        gradient,
        gradient_row_stride,
        gradient_pixel_stride,
        rows,
        columns,
        last_lanes,
        accumulate,
        sums: target,
        sums_row_stride,
    } = outer;
    // SAFETY: the caller's.
    unsafe {
        let mut sums = [Channels::<S, V, HALF>::zero(simd); I];
        if accumulate {
            for (i, sums) in sums.iter_mut().enumerate() {
                *sums = Channels::load(simd, target.add(i * sums_row_stride), last_lanes);
            }
        }
        for row in 0..rows {
            let mut source = source.add(row * source_row_stride);
            let mut gradient = gradient.add(row * gradient_row_stride);
            for _ in 0..columns {
                let gradients = Channels::load(simd, gradient, last_lanes);
                for (i, sums) in sums.iter_mut().enumerate() {
                    sums.add_product(simd, simd.splat(*source.add(i)), &gradients);
                }
                // Past the last pixel they are not read.
                source = source.wrapping_add(source_pixel_stride);
                gradient = gradient.wrapping_add(gradient_pixel_stride);
            }
        }
        for (i, sums) in sums.iter().enumerate() {
            sums.store(simd, target.add(i * sums_row_stride), last_lanes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Blocks of vectors of four numbers, where the portable ones have eight.
    fn of_other_vectors() -> ChannelBlocks {
        ChannelBlocks {
            lanes: 4,
            ..ChannelBlocks::new(Isa::Portable, 4)
        }
    }

    /// Pixels of a row, so many numbers apart.
    fn row(data: &[f32], pixel_stride: usize) -> Strided<'_> {
        Strided {
            data,
            start: 0,
            row_stride: 0,
            pixel_stride,
        }
    }

    #[test]
    fn what_is_covered_ends_within_the_slice() {
        let numbers = Strided {
            data: &[0.0; 20],
            start: 2,
            row_stride: 8,
            pixel_stride: 3,
        };
        assert!(numbers.covers([2, 3], 4));
        assert!(!numbers.covers([2, 3], 5));
        assert!(!numbers.covers([2, 4], 2));
        assert!(!numbers.covers([3, 1], 3));
        assert!(!numbers.covers([usize::MAX, 1], 1));
        assert!(!numbers.covers([1, usize::MAX / 3 + 2], 1));
        assert!(!numbers.covers([1, 1], usize::MAX));
    }

    #[test]
    fn room_for_sums_has_zeros_beyond_the_channels() {
        let blocks = ChannelBlocks::new(Isa::Portable, 5);
        let mut before = Buffer::new(blocks.panel_len(7));
        before.fill(f32::NAN);
        drop(before);
        assert!(blocks.room_for_sums(7).iter().all(|&number| number == 0.0));
    }

    #[test]
    #[should_panic(expected = "the blocks are of other vectors")]
    fn products_are_computed_with_the_vectors_of_the_panel() {
        let mut target = [0.0; 64];
        Isa::Portable.run(MatrixProduct {
            blocks: of_other_vectors(),
            panel: &[1.0; 64],
            panel_depth: 1,
            panel_first_row: 0,
            panel_row_stride: 0,
            start: Start::Zero,
            source: row(&[1.0; 64], 1),
            taps: 1,
            tap_len: 1,
            tap_stride: 0,
            target: StridedMut {
                data: &mut target,
                start: 0,
                row_stride: 0,
                pixel_stride: 4,
            },
            size: [1, 2],
        });
    }

    #[test]
    #[should_panic(expected = "the blocks are of other vectors")]
    fn gradients_are_computed_with_the_vectors_of_the_panel() {
        let mut sums = [0.0; 64];
        Isa::Portable.run(OuterProduct {
            blocks: of_other_vectors(),
            inputs: 1,
            source: row(&[1.0; 64], 1),
            gradient: row(&[1.0; 64], 4),
            size: [1, 2],
            accumulate: false,
            sums: &mut sums,
            order: Order::Panel {
                depth: 1,
                first_row: 0,
            },
        });
    }
}
