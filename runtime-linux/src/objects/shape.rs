//! Shapes as grids of pixels: who is next to whom, and what is a hole.

/// The pixels around `pixel`, corners included, in an image of `len` pixels in rows of `width`.
pub fn neighbours(pixel: usize, width: usize, len: usize) -> impl Iterator<Item = usize> {
    let column = pixel % width;
    let columns = column.saturating_sub(1)..(column + 2).min(width);
    let first = (pixel - column).saturating_sub(width);
    (first..len.min(pixel - column + 2 * width))
        .step_by(width)
        .flat_map(move |row| columns.clone().map(move |x| row + x))
        .filter(move |&neighbour| neighbour != pixel)
}

/// `inside`, rows of `width`, without its holes: all that the outside does not reach from beyond the rectangle by steps up, down, left and
/// right.
pub fn filled(inside: &[bool], width: usize) -> Vec<bool> {
    let height = inside.len() / width;
    let mut filled = vec![true; inside.len()];
    let on_edge = |pixel: &usize| {
        let (row, column) = (pixel / width, pixel % width);
        row == 0 || column == 0 || row + 1 == height || column + 1 == width
    };
    let mut reached: Vec<usize> = (0..inside.len()).filter(on_edge).filter(|&pixel| !inside[pixel]).collect();
    reached.iter().for_each(|&pixel| filled[pixel] = false);
    while let Some(pixel) = reached.pop() {
        let column = pixel % width;
        let beside = [
            (column > 0).then(|| pixel - 1),
            (column + 1 < width).then(|| pixel + 1),
            pixel.checked_sub(width),
            Some(pixel + width).filter(|&below| below < inside.len()),
        ];
        for next in beside.into_iter().flatten() {
            if filled[next] && !inside[next] {
                filled[next] = false;
                reached.push(next);
            }
        }
    }
    filled
}
