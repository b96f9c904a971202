//! The whole path on small shapes made by hand. Larger and random ones are checked in `tests/`, against scikit-image and
//! against a reference that holds the whole image.

extern crate std;

use std::collections::BTreeMap;
use std::format;
use std::vec;
use std::vec::Vec;

use super::{Event, MeasureError, Object, Objects, Pixels, Task};

const WIDTH: usize = 48;
const COMPONENTS: Task = Task::Components { min_area: 0 };
const GROWN: Task = Task::InteriorBorder { object: 1, border: 2, grow_px: 2.5, min_area: 0 };

/// A mask from lines of `.` (background), `#` (class 1) and `o` (class 2).
fn mask(lines: &[&str]) -> Vec<Vec<u8>> {
    let class = |pixel| match pixel {
        b'#' => 1,
        b'o' => 2,
        _ => 0,
    };
    lines.iter().map(|line| line.bytes().map(class).collect()).collect()
}

/// What a frame gave: its objects in the order of their ids, and the picture painted from its events.
struct Measured {
    objects: Vec<Object>,
    painted: Vec<Vec<u32>>,
}

impl Measured {
    fn areas(&self) -> Vec<u32> {
        self.objects.iter().map(Object::area).collect()
    }

    fn only(&self) -> &Object {
        assert_eq!(self.objects.len(), 1);
        &self.objects[0]
    }
}

fn measure_with<const OPEN: usize>(task: Task, mask: &[Vec<u8>]) -> Result<Measured, MeasureError> {
    let (height, width) = (mask.len() as u32, mask[0].len() as u32);
    let mut measuring = Objects::<WIDTH, OPEN>::new(task, height, width)?;
    let mut painted = vec![vec![0; width as usize]; height as usize];
    let mut renamed = BTreeMap::new();
    let mut objects = Vec::new();
    let mut on = |event: Event<'_>| match event {
        Event::Run { row, columns, id } => painted[row as usize][columns].fill(id),
        Event::Merge { from, into } => {
            assert!(into < from, "the earlier id stays");
            renamed.insert(from, into);
        }
        Event::Closed(object) => objects.push(*object),
        Event::Dropped { id } => {
            renamed.insert(id, 0);
        }
    };
    for row in mask {
        measuring.push(row, |_| None, &mut on)?;
    }
    measuring.finish(|_| None, &mut on)?;
    for id in painted.iter_mut().flatten() {
        while let Some(&name) = renamed.get(id) {
            *id = name;
        }
    }
    objects.sort_by_key(Object::id);
    for object in &objects {
        let pixels = painted.iter().flatten().filter(|&&id| id == object.id()).count();
        assert_eq!(pixels, object.area() as usize, "the painted pixels are those measured");
    }
    let total: u32 = objects.iter().map(Object::area).sum();
    assert_eq!(painted.iter().flatten().filter(|&&id| id != 0).count(), total as usize);
    Ok(Measured { objects, painted })
}

fn measure(task: Task, lines: &[&str]) -> Measured {
    measure_with::<64>(task, &mask(lines)).unwrap()
}

#[test]
fn nothing_is_no_object() {
    assert!(measure(COMPONENTS, &[".....", "....."]).objects.is_empty());
    assert!(measure(GROWN, &["..o..", "ooooo"]).objects.is_empty());
}

#[test]
fn a_single_pixel_has_no_length() {
    let measured = measure(COMPONENTS, &["...", ".#.", "..."]);
    let pixel = measured.only();
    assert_eq!((pixel.area(), pixel.perimeter()), (1, 0.0));
    assert_eq!((pixel.centroid().row, pixel.centroid().column), (1.0, 1.0));
    let ellipse = pixel.ellipse();
    assert_eq!((ellipse.major, ellipse.minor, ellipse.eccentricity), (0.0, 0.0, 0.0));
    assert!(!pixel.touches_border());
}

#[test]
fn a_square_is_round_and_a_line_is_not() {
    let measured = measure(COMPONENTS, &["....", ".##.", ".##.", "...."]);
    let square = measured.only();
    // Four edge pixels, each with two beside it and one across: 1 + 2*2 + 10 = 15 in scikit-image's table.
    assert_eq!(square.perimeter(), 4.0);
    assert_eq!((square.ellipse().major, square.ellipse().minor), (2.0, 2.0));
    assert_eq!(square.ellipse().eccentricity, 0.0);
    assert!((square.equivalent_diameter() - 2.256758334191025).abs() < 1e-15);

    for (lines, orientation) in [
        (&["....", "####"][..], core::f64::consts::FRAC_PI_2),
        (&["#.", "#.", "#.", "#."], 0.0),
        (&["#...", ".#..", "..#.", "...#"], core::f64::consts::FRAC_PI_4),
        (&["...#", "..#.", ".#..", "#..."], -core::f64::consts::FRAC_PI_4),
    ] {
        let measured = measure(COMPONENTS, lines);
        let ellipse = measured.only().ellipse();
        assert_eq!((ellipse.minor, ellipse.eccentricity), (0.0, 1.0), "{lines:?}");
        assert!((ellipse.orientation - orientation).abs() < 1e-15, "{lines:?}: {}", ellipse.orientation);
    }
}

#[test]
fn corners_connect() {
    assert_eq!(measure(COMPONENTS, &["#.#", ".#.", "#.#"]).areas(), [5]);
    assert_eq!(measure(COMPONENTS, &["#..", "..#"]).areas(), [1, 1]);
}

#[test]
fn classes_do_not_connect() {
    let measured = measure(COMPONENTS, &["##oo", "#oo.", "o#.."]);
    assert_eq!(measured.areas(), [4, 5]);
    assert_eq!([1, 2], [0, 1].map(|n| measured.objects[n].class()));
    assert_eq!(measured.painted, [[1, 1, 2, 2], [1, 2, 2, 0], [2, 1, 0, 0]]);
}

#[test]
fn lobes_that_meet_late_are_one() {
    let measured = measure(COMPONENTS, &["#.#.#", "#.#.#", "#####", "....."]);
    let comb = measured.only();
    assert_eq!((comb.id(), comb.area()), (1, 11));
    let bounds = comb.bounding_box();
    assert_eq!((bounds.top, bounds.left, bounds.bottom, bounds.right), (0, 0, 3, 5));
    let upside_down = measure(COMPONENTS, &[".....", "#####", "#.#.#", "#.#.#"]);
    assert_eq!(comb.perimeter(), upside_down.only().perimeter());
}

#[test]
fn ids_follow_the_first_pixel() {
    // The spiral's core is seen before its arm reaches it, and the dot lies between in scan-line order.
    let measured = measure(COMPONENTS, &["#......", "#.#.#..", "#...#..", "#####.."]);
    assert_eq!(measured.areas(), [10, 1]);
    assert_eq!(measured.objects[0].id(), 1);
    assert_eq!(measured.objects[1].id(), 2);
}

#[test]
fn interiors_grow_over_the_border_alone() {
    let measured = measure(GROWN, &["#oooo..", ".......", "o......"]);
    // (0,1) and (0,2) are within 2.5 px of the interior, (0,3) is not; (2,0) is, straight across the background.
    assert_eq!(measured.areas(), [4]);
    assert_eq!(measured.painted, [[1, 1, 1, 0, 0, 0, 0], [0; 7], [1, 0, 0, 0, 0, 0, 0]]);
    assert_eq!(measured.only().interior_area(), 1);
    let further = Task::InteriorBorder { object: 1, border: 2, grow_px: 4.0, min_area: 0 };
    assert_eq!(measure(further, &["#oooo..", ".......", "o......"]).areas(), [6]);
}

#[test]
fn touching_objects_share_their_border_fairly() {
    let measured = measure(GROWN, &["##oo##", "##oo##", "##oo##"]);
    assert_eq!(measured.painted, [[1, 1, 1, 2, 2, 2]; 3]);
    assert_eq!(measured.objects[0].perimeter(), measure(COMPONENTS, &["###", "###", "###"]).only().perimeter());
    // One column cannot be halved: it goes to the interior pixel that comes first.
    assert_eq!(measure(GROWN, &["##o##", "##o##"]).areas(), [6, 4]);
}

/// The seam between two lobes is no contour if they are one object, which is known at the bottom alone.
#[test]
fn a_seam_that_closes_is_no_contour() {
    let lobes = ["##oo##", "##oo##", "##oo##", "##oo##", "##oo##", "##oo##", "##oo##", "##oo##"];
    let mut closed = Vec::from(lobes);
    closed.push("######");
    let solid = vec!["######"; closed.len()];
    assert_eq!(measure(GROWN, &closed).only().perimeter(), measure(COMPONENTS, &solid).only().perimeter());
    closed.reverse();
    assert_eq!(measure(GROWN, &closed).only().perimeter(), measure(COMPONENTS, &solid).only().perimeter());
    // Three lobes, of which two become one.
    let lines = ["#o#o##", "#o#o##", "#o#o##", "#o#o##", "#o#o##", "#o#o##", "#o#o##", "##oo##", "##oo##"];
    let measured = measure(GROWN, &lines);
    assert_eq!(measured.areas(), [7 * 4 + 2 * 3, 7 * 2 + 2 * 3]);
    let apart = ["####..", "####..", "####..", "####..", "####..", "####..", "####..", "###...", "###..."];
    assert_eq!(measured.objects[0].perimeter(), measure(COMPONENTS, &apart).only().perimeter());
}

#[test]
fn small_interiors_are_dropped_with_what_they_grew() {
    let task = Task::InteriorBorder { object: 1, border: 2, grow_px: 2.5, min_area: 3 };
    let measured = measure(task, &["##ooo#", "##ooo#"]);
    // The last border column was the small interior's, and goes with it.
    assert_eq!(measured.painted, [[1, 1, 1, 1, 0, 0]; 2]);
    assert_eq!(measure(Task::Components { min_area: 2 }, &["##.#.", "....."]).areas(), [2]);
}

#[test]
fn touching_the_border_is_noticed_on_every_side() {
    for (lines, touches) in [
        (["#..", "...", "..."], true),
        (["...", "..#", "..."], true),
        (["...", "...", ".#."], true),
        (["...", "#..", "..."], true),
        (["...", ".#.", "..."], false),
    ] {
        assert_eq!(measure(COMPONENTS, &lines).only().touches_border(), touches, "{lines:?}");
    }
    // Grown pixels count.
    assert!(measure(GROWN, &["....", "o#..", "...."]).only().touches_border());
}

#[test]
fn intensities_are_those_under_the_object() {
    let mask: [[i8; 4]; 3] = [[0, 1, 1, 0], [0, 1, 0, 0], [0, 2, 0, 1]];
    let frame: [[u16; 4]; 3] = [[0, 1000, 65_535, 0], [7, 500, 0, 0], [0, 100, 0, 40]];
    let mut objects = Objects::<4, 8>::new(GROWN, 3, 4).unwrap();
    for known in [3, 2] {
        let mut asked = Vec::new();
        let mut found = Vec::new();
        let mut on = |event: Event<'_>| {
            if let Event::Closed(object) = event {
                found.push(*object)
            }
        };
        let mut intensity = |row: u32| {
            asked.push(row);
            (row < known).then(|| Pixels::U16(&frame[row as usize]))
        };
        for row in &mask {
            objects.push(row, &mut intensity, &mut on).unwrap();
        }
        objects.finish(&mut intensity, &mut on).unwrap();
        assert_eq!(asked, [0, 1, 2]);
        assert_eq!(found.len(), 2);
        let first = found[0].intensity();
        if known == 3 {
            let first = first.unwrap();
            assert_eq!((first.min, first.max, first.mean), (100, 65_535, (1000 + 65_535 + 500 + 100) as f64 / 4.0));
            assert_eq!(found[1].intensity().unwrap().mean, 40.0);
        } else {
            assert_eq!(first, None, "one row is missing");
            assert_eq!(found[1].intensity(), None);
        }
    }
}

#[test]
fn micrometres_scale_lengths_and_areas() {
    let measured = measure(COMPONENTS, &[".....", ".###.", ".###.", "....."]);
    let object = measured.only();
    let um = object.in_um(0.5);
    assert_eq!(um.area(), 1.5);
    assert_eq!(um.perimeter(), object.perimeter() / 2.0);
    assert_eq!(um.equivalent_diameter(), object.equivalent_diameter() / 2.0);
    assert_eq!((um.centroid().row, um.centroid().column), (0.75, 1.0));
    assert_eq!(um.ellipse().major, object.ellipse().major / 2.0);
    assert_eq!(um.ellipse().orientation, object.ellipse().orientation);
}

/// A mask that needs as many slots as any of its width can: lone pixels all over, two rows apart.
#[test]
fn hundredths_are_the_figures_rounded() {
    let shapes = [&["#.#", ".#.", "###"][..], &["####", "#..#", "####", "##.."], &[".##.", "####", "####", ".##."]];
    for lines in shapes {
        let measured = measure(COMPONENTS, lines);
        for object in &measured.objects {
            let rounded = |length: f64| (length * 100.0).round() as u64;
            let centroid = object.centroid();
            assert_eq!(object.centroid_hundredths(), [centroid.row, centroid.column].map(rounded));
            assert_eq!(object.perimeter_hundredths(), rounded(object.perimeter()));
        }
    }
}

#[test]
fn the_table_is_as_large_as_it_says() {
    let task = Task::InteriorBorder { object: 1, border: 2, grow_px: 4.0, min_area: 0 };
    let dots: Vec<Vec<u8>> = (0..40u8).map(|y| (0..9u8).map(|x| (x | y) & 1 ^ 1).collect()).collect();
    // 13 rows linger, seven of them with five dots.
    assert_eq!(measure_with::<35>(task, &dots).unwrap().objects.len(), 100);
    let error = measure_with::<34>(task, &dots).err().unwrap();
    assert_eq!(error, MeasureError::TooManyOpen { row: 12, open: 34, enough: 65 });
    let columns: Vec<Vec<u8>> = (0..40u8).map(|y| (0..9u8).map(|x| (x ^ y) & 1).collect()).collect();
    assert_eq!(measure_with::<65>(task, &columns).unwrap().objects.len(), 1);
}

#[test]
fn a_full_table_is_an_error_until_restart() {
    let mut objects = Objects::<8, 2>::new(COMPONENTS, 2, 8).unwrap();
    let error = objects.push(&[1u8, 0, 1, 0, 1, 0, 0, 0], |_| None, |_| {}).unwrap_err();
    assert_eq!(error, MeasureError::TooManyOpen { row: 0, open: 2, enough: 40 });
    assert_eq!(objects.push(&[0u8; 8], |_| None, |_| {}), Err(error));
    assert_eq!(objects.finish(|_| None, |_| {}), Err(error));
    objects.restart();
    let mut closed = 0;
    for _ in 0..2 {
        objects.push(&[1u8, 0, 1, 0, 0, 0, 0, 0], |_| None, |_| {}).unwrap();
    }
    objects.finish(|_| None, |event| closed += u32::from(matches!(event, Event::Closed(_)))).unwrap();
    assert_eq!(closed, 2);
}

#[test]
fn wrong_frames_tasks_and_rows_are_refused() {
    let new = |task, height, width| Objects::<8, 2>::new(task, height, width).err();
    for (height, width) in [(0, 4), (4, 0), (4, 9), (65_536, 4)] {
        assert_eq!(new(COMPONENTS, height, width), Some(MeasureError::Frame { height, width, widest: 8 }));
    }
    let grown = |object, border, grow_px| Task::InteriorBorder { object, border, grow_px, min_area: 0 };
    assert_eq!(new(grown(1, 2, 4.5), 4, 4), Some(MeasureError::Grow { grow_px: 4.5 }));
    for (object, border) in [(1, 1), (0, 1), (1, 0)] {
        assert_eq!(new(grown(object, border, 1.0), 4, 4), Some(MeasureError::Classes { object, border }));
    }

    let fresh = || Objects::<8, 2>::new(COMPONENTS, 1, 4).unwrap();
    let none = |_| None;
    assert_eq!(fresh().push(&[0u8; 5], none, |_| {}), Err(MeasureError::MaskRow { row: 0, found: 5, expected: 4 }));
    assert_eq!(fresh().push(&[0i8, 0, -1, 0], none, |_| {}), Err(MeasureError::Class { row: 0, column: 2, found: -1 }));
    assert_eq!(
        fresh().push(&[0i8; 4], |_| Some(Pixels::I8(&[1, 2, 3])), |_| {}),
        Err(MeasureError::IntensityRow { row: 0, found: 3, expected: 4 })
    );
    assert_eq!(fresh().finish(none, |_| {}), Err(MeasureError::Rows { found: 0, expected: 1 }));
    let mut objects = fresh();
    objects.push(&[0u8; 4], none, |_| {}).unwrap();
    assert_eq!(objects.push(&[0u8; 4], none, |_| {}), Err(MeasureError::Rows { found: 2, expected: 1 }));
}

#[test]
fn errors_say_what_was_found_and_what_to_do() {
    let error = MeasureError::TooManyOpen { row: 12, open: 34, enough: 65 };
    assert_eq!(
        format!("{error}"),
        "measure: at mask row 12 more than 34 objects are open; raise OPEN of Objects<WIDTH, OPEN> \
         (65 is enough for any frame of this width)"
    );
}

#[test]
fn sizes_are_those_documented() {
    let size = |width: usize, open: usize| 18 * width + 150 * open;
    let found = core::mem::size_of::<Objects<640, 256>>();
    assert!(found.abs_diff(size(640, 256)) < 1024, "{found} bytes");
    let found = core::mem::size_of::<Objects<4056, 2048>>();
    assert!(found.abs_diff(size(4056, 2048)) < 8192, "{found} bytes");
}
