//! Random masks against the naive reference.

use microtome_core::measure::{MeasureError, Objects, Task};
use proptest::prelude::*;

use crate::naive;
use crate::stream::{Image, intensities, stream_with};

/// Enough for any mask here, small enough for a test thread's stack.
type Small = Objects<40, 600>;

/// How a mask is drawn.
#[derive(Debug, Clone, Copy)]
enum Texture {
    /// Every pixel by itself.
    Noise,
    /// Rectangles over one another.
    Rectangles,
    /// Vertical strands in border class, joined here and there: lobes that meet late.
    Strands,
}

fn tasks() -> impl Strategy<Value = Task> {
    let min_area = 0u32..8;
    prop_oneof![
        min_area.clone().prop_map(|min_area| Task::Components { min_area }),
        (0u8..=8, min_area).prop_map(|(halves, min_area)| Task::InteriorBorder {
            object: 1,
            border: 2,
            grow_px: f32::from(halves) / 2.0,
            min_area,
        }),
    ]
}

fn masks() -> impl Strategy<Value = Image<u8>> {
    let texture = prop_oneof![Just(Texture::Noise), Just(Texture::Rectangles), Just(Texture::Strands)];
    (1usize..=40, 1usize..=40, texture, any::<u64>(), prop::array::uniform3(1u32..20))
        .prop_map(|(height, width, texture, seed, weights)| draw(height, width, texture, seed, weights))
}

fn draw(height: usize, width: usize, texture: Texture, seed: u64, weights: [u32; 3]) -> Image<u8> {
    let mut state = seed | 1;
    let mut below = |limit: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 16) as usize % limit
    };
    let total: u32 = weights.iter().sum();
    let mut pixels = vec![0; height * width];
    let rectangle = |pixels: &mut Vec<u8>, top: usize, left: usize, rows: usize, columns: usize, class: u8| {
        for y in top..height.min(top + rows) {
            pixels[y * width + left..y * width + width.min(left + columns)].fill(class);
        }
    };
    match texture {
        Texture::Noise => {
            for pixel in &mut pixels {
                let pick = below(total as usize) as u32;
                *pixel = if pick < weights[0] { 0 } else { 1 + u8::from(pick >= weights[0] + weights[1]) };
            }
        }
        Texture::Rectangles => {
            for _ in 0..weights[0] * 3 {
                let (top, left) = (below(height), below(width));
                let (rows, columns, class) = (1 + below(9), 1 + below(9), below(3) as u8);
                rectangle(&mut pixels, top, left, rows, columns, class);
            }
        }
        Texture::Strands => {
            pixels.fill(2);
            let mut left = below(3);
            while left < width {
                let (thick, gap) = (1 + below(2), 1 + below(4));
                let (top, rows) = (below(height), 1 + below(height));
                rectangle(&mut pixels, top, left, rows, thick, 1);
                if below(3) > 0 {
                    let joint = below(height);
                    rectangle(&mut pixels, joint, left, 1, thick + gap + 1, 1);
                }
                left += thick + gap;
            }
            for _ in 0..below(1 + weights[1] as usize) {
                let (y, x) = (below(height), below(width));
                rectangle(&mut pixels, y, x, 1, 1, below(3) as u8);
            }
        }
    }
    Image { height, width, pixels }
}

impl std::fmt::Debug for Image<u8> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for row in self.rows() {
            let line: String = row.iter().map(|&class| char::from(b".#o"[usize::from(class)])).collect();
            writeln!(f, "{line}")?;
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Every figure and every painted pixel, and again in a second frame without starting anew.
    #[test]
    fn random_masks_are_measured_as_by_the_reference(task in tasks(), mask in masks()) {
        let pixels = intensities(mask.height, mask.width);
        let (labels, figures) = naive::measure(task, &mask, &pixels);
        let mut measuring = Small::new(task, mask.height as u32, mask.width as u32).unwrap();
        for _ in 0..2 {
            let found = stream_with(&mut measuring, &mask, &pixels).map_err(|e| TestCaseError::fail(e.to_string()))?;
            naive::compare(&found, &labels, &figures).map_err(TestCaseError::fail)?;
        }
    }

    /// Whatever the table's size, a frame is measured or refused; never measured differently.
    #[test]
    fn small_tables_lose_nothing_in_silence(task in tasks(), mask in masks()) {
        let pixels = intensities(mask.height, mask.width);
        let (labels, figures) = naive::measure(task, &mask, &pixels);
        let mut measuring = Objects::<40, 12>::new(task, mask.height as u32, mask.width as u32).unwrap();
        match stream_with(&mut measuring, &mask, &pixels) {
            Ok(found) => naive::compare(&found, &labels, &figures).map_err(TestCaseError::fail)?,
            Err(MeasureError::TooManyOpen { open: 12, .. } | MeasureError::TooManySeams { open: 12, .. }) => {}
            Err(error) => prop_assert!(false, "{}", error),
        }
    }
}
