//! A frame: nuclei placed apart or touching, drawn, exposed.

use super::field::{Field, Random};
use super::nucleus::Nucleus;
use super::optics::Optics;
use crate::source::{Channels, Image, Samples};

/// What to simulate.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// Frames of one seed and size are one set.
    pub seed: u64,
    /// Rows, 32 to 8192.
    pub height: usize,
    /// Pixels per row, 32 to 8192.
    pub width: usize,
}

impl Settings {
    /// # Errors
    /// One sentence when a side is out of range.
    pub fn check(&self) -> Result<(), String> {
        let sides = 32..=8192;
        if sides.contains(&self.height) && sides.contains(&self.width) {
            return Ok(());
        }
        Err(format!("a simulated frame of {}x{} pixels (expected sides of 32 to 8192)", self.width, self.height))
    }
}

/// A frame and its truth.
pub struct Scene {
    /// The frame, 8-bit grey.
    pub image: Image,
    /// The nucleus of every pixel, from 1; 0 is the background.
    pub labels: Vec<u16>,
    /// Number of nuclei.
    pub nuclei: usize,
}

/// Pixels of frame per attempt to place a nucleus.
const PIXELS_PER_NUCLEUS: usize = 1900;

/// A nucleus that others leave fewer visible pixels than this is not drawn.
const LEAST_VISIBLE: usize = 40;

/// Frame `number` of the set.
///
/// # Errors
/// One sentence when a side is out of range.
pub fn scene(settings: Settings, number: u64) -> Result<Scene, String> {
    expose(settings, number, |optics| optics)
}

/// Scene `number` of the set in an even light, as a slide of which a moving stage shows parts.
///
/// # Errors
/// One sentence when a side is out of range.
pub fn slide(settings: Settings, number: u64) -> Result<Scene, String> {
    expose(settings, number, Optics::even)
}

fn expose(settings: Settings, number: u64, changed: impl FnOnce(Optics) -> Optics) -> Result<Scene, String> {
    settings.check()?;
    let Settings { seed, height, width } = settings;
    let mut random = Random::new(seed, number);
    let nuclei = place(height, width, &mut random);
    let (labels, nuclei) = visible(&nuclei, height, width);
    let light = light(&labels, &nuclei, height, width, &mut random);
    let optics = changed(Optics::new(&mut random));
    let samples = optics.expose(&light, &mut random);
    let image = Image::new(height, width, Channels::Grey, Samples::U8(samples))?;
    Ok(Scene { image, labels, nuclei: nuclei.len() })
}

fn place(height: usize, width: usize, random: &mut Random) -> Vec<Nucleus> {
    let attempts = (height * width / PIXELS_PER_NUCLEUS).max(2);
    let typical = random.between(10.0, 13.5);
    let mut nuclei: Vec<Nucleus> = Vec::new();
    for _ in 0..attempts {
        let radius = typical * random.between(0.75, 1.25);
        let (x, y) = (random.between(0.0, width as f64), random.between(0.0, height as f64));
        let one = Nucleus::new(x, y, radius, random);
        if !clear(&nuclei, &one, None) {
            continue;
        }
        nuclei.push(one);
        if random.between(0.0, 1.0) < 0.35 {
            let first = nuclei.len() - 1;
            let partner = touching(&nuclei[first], radius * random.between(0.8, 1.1), random);
            let inside = (0.0..width as f64).contains(&partner.x) && (0.0..height as f64).contains(&partner.y);
            if inside && clear(&nuclei, &partner, Some(first)) {
                nuclei.push(partner);
            }
        }
    }
    nuclei
}

/// A nucleus that touches `first`, with an overlap of up to two pixels that [`visible`] shares out.
fn touching(first: &Nucleus, radius: f64, random: &mut Random) -> Nucleus {
    let angle = random.between(0.0, core::f64::consts::TAU);
    let (dx, dy) = (libm::cos(angle), libm::sin(angle));
    let mut partner = Nucleus::new(first.x, first.y, radius, random);
    let apart = first.radius_towards(dx, dy) + partner.radius_towards(-dx, -dy) - random.between(0.0, 2.0);
    partner.x += apart * dx;
    partner.y += apart * dy;
    partner
}

/// Whether `one` keeps its distance from all but nucleus `except`.
fn clear(nuclei: &[Nucleus], one: &Nucleus, except: Option<usize>) -> bool {
    nuclei.iter().enumerate().filter(|(index, _)| Some(*index) != except).all(|(_, other)| {
        let (dx, dy) = (other.x - one.x, other.y - one.y);
        let distance = libm::sqrt(dx * dx + dy * dy).max(1e-9);
        let (dx, dy) = (dx / distance, dy / distance);
        distance > one.radius_towards(dx, dy) + other.radius_towards(-dx, -dy) + 4.0
    })
}

/// Pixels around a nucleus, inside the frame.
fn around(nucleus: &Nucleus, height: usize, width: usize) -> impl Iterator<Item = (usize, usize)> + use<> {
    let reach = nucleus.reach();
    let span = |centre: f64, side: usize| {
        (centre - reach).max(0.0) as usize..((centre + reach).max(0.0) as usize + 1).min(side)
    };
    let columns = span(nucleus.x, width);
    span(nucleus.y, height).flat_map(move |y| columns.clone().map(move |x| (y, x)))
}

/// Gives each pixel to the nucleus it lies deepest in, and drops nuclei of which next to nothing can be seen.
fn visible(nuclei: &[Nucleus], height: usize, width: usize) -> (Vec<u16>, Vec<&Nucleus>) {
    let mut depths = vec![1.0; height * width];
    let mut owners = vec![0_usize; height * width];
    for (nucleus, owner) in nuclei.iter().zip(1..) {
        for (y, x) in around(nucleus, height, width) {
            let depth = nucleus.depth(x as f64, y as f64);
            if depth < depths[y * width + x] {
                depths[y * width + x] = depth;
                owners[y * width + x] = owner;
            }
        }
    }
    let mut areas = vec![0; nuclei.len() + 1];
    owners.iter().for_each(|&owner| areas[owner] += 1);
    let mut label_of = vec![0_u16; nuclei.len() + 1];
    let mut kept = Vec::new();
    for (nucleus, owner) in nuclei.iter().zip(1..) {
        if areas[owner] >= LEAST_VISIBLE {
            kept.push(nucleus);
            label_of[owner] = kept.len() as u16;
        }
    }
    (owners.iter().map(|&owner| label_of[owner]).collect(), kept)
}

/// The light of all nuclei through the lens. Nuclei are drawn in two planes by how far they are out of focus, because a blur is one for
/// all that lies in a plane.
fn light(labels: &[u16], nuclei: &[&Nucleus], height: usize, width: usize, random: &mut Random) -> Field {
    let chromatin = [Field::noise(height, width, 2.5, 0.10, random), Field::noise(height, width, 6.0, 0.08, random)];
    let mut planes = [Field::flat(height, width, 0.0), Field::flat(height, width, 0.0)];
    let far = |nucleus: &Nucleus| usize::from(nucleus.defocus > 1.35);
    for (index, &label) in labels.iter().enumerate() {
        if let Some(nucleus) = usize::from(label).checked_sub(1).map(|n| nuclei[n]) {
            let texture = 1.0 + chromatin[0].values[index] + chromatin[1].values[index];
            planes[far(nucleus)].values[index] =
                nucleus.light((index % width) as f64, (index / width) as f64) * texture.max(0.1);
        }
    }
    let blur = |plane: usize| {
        let in_plane: Vec<f64> = nuclei.iter().filter(|n| far(n) == plane).map(|n| n.defocus).collect();
        if in_plane.is_empty() { 1.0 } else { in_plane.iter().sum::<f64>() / in_plane.len() as f64 }
    };
    let mut sum = planes[0].blurred(blur(0));
    let out_of_focus = planes[1].blurred(blur(1));
    sum.values.iter_mut().zip(&out_of_focus.values).for_each(|(a, b)| *a += b);
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS: Settings = Settings { seed: 7, height: 96, width: 128 };

    fn samples(scene: &Scene) -> &[u8] {
        match scene.image.samples() {
            Samples::U8(v) => v,
            Samples::U16(_) => panic!("the simulator makes 8-bit frames"),
        }
    }

    /// FNV-1a.
    fn hash(bytes: &[u8]) -> u64 {
        bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
    }

    #[test]
    fn frames_are_the_same_bytes_on_every_machine() {
        let first = scene(SETTINGS, 0).unwrap();
        assert_eq!(hash(samples(&first)), 0x4ddf_b784_4a23_2d4e);
        assert_ne!(samples(&first), samples(&scene(SETTINGS, 1).unwrap()));
        assert_ne!(samples(&first), samples(&scene(Settings { seed: 8, ..SETTINGS }, 0).unwrap()));
    }

    #[test]
    fn labels_are_consecutive_and_bright() {
        let scene = scene(Settings { seed: 1, height: 256, width: 256 }, 3).unwrap();
        let mut sums = vec![(0_u64, 0_u64); scene.nuclei + 1];
        for (&label, &sample) in scene.labels.iter().zip(samples(&scene)) {
            sums[usize::from(label)].0 += 1;
            sums[usize::from(label)].1 += u64::from(sample);
        }
        let mean = |(count, sum): (u64, u64)| sum as f64 / count as f64;
        assert!(scene.nuclei >= 10);
        for &nucleus in &sums[1..] {
            assert!(nucleus.0 >= LEAST_VISIBLE as u64);
            assert!(mean(nucleus) > 2.0 * mean(sums[0]), "{nucleus:?} over {:?}", sums[0]);
        }
    }

    #[test]
    fn some_nuclei_touch() {
        let scene = scene(Settings { seed: 1, height: 256, width: 256 }, 0).unwrap();
        let touching =
            scene.labels.windows(2).filter(|pair| pair[0] != pair[1] && pair[0] != 0 && pair[1] != 0).count();
        assert!(touching > 10, "{touching}");
    }

    #[test]
    fn sides_out_of_range() {
        assert!(super::scene(Settings { height: 16, ..SETTINGS }, 0).is_err());
    }
}
