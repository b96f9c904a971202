//! Operators that move values: where each of the output comes from.

use microtome_core::plan::{Coordinates, Nearest};
use tract_onnx::pb;

use super::attributes::{float, int, ints, text};
use super::{Importer, refuse};
use crate::error::Result;
use crate::graph::{Fill, Op};

impl Importer<'_> {
    pub(super) fn concat(&mut self, node: &pb::NodeProto) -> Result<()> {
        let rank = self.probe.shapes(&node.input[0])?[0].len() as i64;
        let axis = int(node, "axis", 1);
        if axis.rem_euclid(rank.max(1)) != 1 {
            return Err(refuse(node, format!("it joins along axis {axis}, expected channels (1)")));
        }
        let inputs = (0..node.input.len()).map(|i| self.value(node, i)).collect::<Result<Vec<_>>>()?;
        self.push(node, Op::Concat, inputs).map(drop)
    }

    pub(super) fn resize(&mut self, node: &pb::NodeProto) -> Result<()> {
        let input = self.value(node, 0)?;
        let mode = text(node, "mode", "nearest");
        let upsample = node.op_type == "Upsample" || self.opset() < 11;
        let transformation =
            if upsample { "asymmetric".into() } else { text(node, "coordinate_transformation_mode", "half_pixel") };
        let coordinates = match transformation.as_str() {
            "half_pixel" => Coordinates::HalfPixel,
            "pytorch_half_pixel" => Coordinates::PytorchHalfPixel,
            "align_corners" => Coordinates::AlignCorners,
            "asymmetric" => Coordinates::Asymmetric,
            other => return Err(refuse(node, format!("core has no coordinate_transformation_mode {other}"))),
        };
        let rounding = if upsample { "floor".into() } else { text(node, "nearest_mode", "round_prefer_floor") };
        let nearest = match (mode.as_str(), rounding.as_str()) {
            ("linear", _) => None,
            ("nearest", "floor") => Some(Nearest::Floor),
            ("nearest", "ceil") => Some(Nearest::Ceil),
            ("nearest", "round_prefer_floor") => Some(Nearest::RoundPreferFloor),
            ("nearest", "round_prefer_ceil") => Some(Nearest::RoundPreferCeil),
            (mode, rounding) => {
                return Err(refuse(node, format!("core has no mode {mode} with nearest_mode {rounding}")));
            }
        };
        if int(node, "antialias", 0) != 0 {
            return Err(refuse(node, "core does not antialias"));
        }
        let output = self.define(&node.output[0])?;
        let (from, to) = (self.out.values[input].sizes.clone(), self.out.values[output].sizes.clone());
        if self.out.values[input].channels != self.out.values[output].channels {
            return Err(refuse(node, "it resizes channels"));
        }
        let mut ratio = [[1u16; 2]; 2];
        let mut sized = false;
        for axis in 0..2 {
            let (n, d) = (to[0][axis], from[0][axis]);
            let divisor = gcd(n, d);
            let (n, d) = (n / divisor, d / divisor);
            sized |= to.iter().zip(&from).any(|(t, f)| t[axis] != f[axis] * n / d) || n.max(d) > usize::from(u16::MAX);
            ratio[axis] = [n.min(65_535) as u16, d.min(65_535) as u16];
        }
        let mut inputs = vec![input];
        if sized {
            let same = self.out.values[..output].iter().position(|v| v.sizes == to);
            inputs.push(same.ok_or_else(|| {
                refuse(node, "its output size is neither a ratio of its input's nor another value's")
            })?);
        }
        self.push_node(node, Op::Resize { ratio, coordinates, nearest }, inputs, output);
        Ok(())
    }

    pub(super) fn pad(&mut self, node: &pb::NodeProto) -> Result<()> {
        let input = self.value(node, 0)?;
        let pads = self.fixed_integers(node, 1, "pads")?.unwrap_or_default();
        let axes = self.integers(node, 3)?.map_or_else(|| (0..4).collect(), |runs| runs[0].clone());
        if pads.len() != 2 * axes.len() {
            return Err(refuse(node, format!("{} pads are given for {} axes", pads.len(), axes.len())));
        }
        let mut amounts = [0i64; 4];
        for (i, axis) in axes.iter().enumerate() {
            let (before, after) = (pads[i], pads[i + axes.len()]);
            match axis.rem_euclid(4) {
                axis @ 2..4 => (amounts[axis as usize - 2], amounts[axis as usize]) = (before, after),
                _ if before == 0 && after == 0 => {}
                axis => return Err(refuse(node, format!("it pads axis {axis}, expected rows and width only"))),
            }
        }
        if amounts.iter().any(|a| a.unsigned_abs() > 4096) {
            return Err(refuse(node, format!("its pads {amounts:?} exceed 4096")));
        }
        let fill = match text(node, "mode", "constant").as_str() {
            "constant" => match self.constant(node, 2)? {
                Some(value) => Fill::Constant(value.data.first().copied().unwrap_or(0.0)),
                None => Fill::Constant(float(node, "value", 0.0)),
            },
            "reflect" => Fill::Reflect,
            "edge" => Fill::Edge,
            other => return Err(refuse(node, format!("core has no mode {other}"))),
        };
        if amounts == [0; 4] {
            self.alias(node, input);
            return Ok(());
        }
        if amounts.iter().any(|a| *a < 0) {
            if amounts.iter().any(|a| *a > 0) {
                return Err(refuse(node, "it pads and crops at once"));
            }
            return self.push(node, Op::Slice(amounts.map(|a| -a as u16), 0), vec![input]).map(drop);
        }
        self.push(node, Op::Pad(amounts.map(|a| a as u16), fill), vec![input]).map(drop)
    }

    pub(super) fn slice(&mut self, node: &pb::NodeProto) -> Result<()> {
        let input = self.value(node, 0)?;
        let shapes = self.probe.shapes(&node.input[0])?;
        let runs = self.probe.count();
        let list = |index, attribute| -> Result<Option<Vec<Vec<i64>>>> {
            match ints(node, attribute) {
                Some(values) => Ok(Some(vec![values; runs])),
                None => self.integers(node, index),
            }
        };
        let missing = || refuse(node, "its starts or ends are missing");
        let (starts, ends) = (list(1, "starts")?.ok_or_else(missing)?, list(2, "ends")?.ok_or_else(missing)?);
        let (axes, steps) = (list(3, "axes")?, list(4, "steps")?);
        let mut found = Vec::new();
        for (run, shape) in shapes.iter().enumerate() {
            let mut cut = vec![[0i64; 2]; shape.len()];
            for (i, (&start, &end)) in starts[run].iter().zip(&ends[run]).enumerate() {
                let axis = axes.as_ref().map_or(i as i64, |a| a[run].get(i).copied().unwrap_or(0));
                let axis = axis.rem_euclid(shape.len() as i64) as usize;
                if steps.as_ref().is_some_and(|s| s[run].get(i) != Some(&1)) {
                    return Err(refuse(node, "core slices with step 1 only"));
                }
                let side = shape[axis] as i64;
                let at = |v: i64| if v < 0 { v.saturating_add(side).clamp(0, side) } else { v.min(side) };
                cut[axis] = [at(start), side - at(end)];
            }
            found.push(cut);
        }
        if found.iter().any(|cut| cut != &found[0]) || found[0].len() != 4 || found[0][0] != [0, 0] {
            return Err(refuse(
                node,
                format!("what it cuts off ({found:?}) is not a fixed number of channels, rows and columns"),
            ));
        }
        let [_, [channel, _], [top, bottom], [left, right]] = found[0][..] else { return Err(missing()) };
        if [channel, top, left, bottom, right].iter().any(|&n| !(0..=4096).contains(&n)) {
            return Err(refuse(node, "it cuts off more than 4096"));
        }
        let crop = [top, left, bottom, right].map(|n| n as u16);
        self.push(node, Op::Slice(crop, channel as u16), vec![input]).map(drop)
    }

    pub(super) fn split(&mut self, node: &pb::NodeProto) -> Result<()> {
        let input = self.value(node, 0)?;
        let rank = self.probe.shapes(&node.input[0])?[0].len() as i64;
        if int(node, "axis", 0).rem_euclid(rank.max(1)) != 1 {
            return Err(refuse(node, "expected a split along channels (axis 1)"));
        }
        let sizes = self.fixed_integers(node, 1, "split")?;
        let channels = self.out.values[input].channels;
        let equal = channels.div_ceil(node.output.len().max(1));
        let mut first = 0;
        for (i, name) in node.output.iter().enumerate() {
            let count =
                sizes.as_ref().map_or(equal, |s| s.get(i).map_or(0, |&n| n.max(0) as usize)).min(channels - first);
            if !name.is_empty() && self.probe.shapes(name).is_ok() {
                let output = self.define(name)?;
                if self.out.values[output].channels != count {
                    return Err(refuse(node, format!("output `{name}` has an unexpected number of channels")));
                }
                self.push_node(node, Op::Slice([0; 4], first as u16), vec![input], output);
            }
            first += count;
        }
        Ok(())
    }

    /// Reshapes that only rename: all values stay in the channels of one pixel, or sides of 1 come and go.
    pub(super) fn reshape(&mut self, node: &pb::NodeProto) -> Result<()> {
        let input = self.value(node, 0)?;
        let (from, to) = (self.probe.shapes(&node.input[0])?, self.probe.shapes(&node.output[0])?);
        let pixel = self.out.values[input].sizes.iter().all(|s| *s == [1, 1]);
        let channels = self.out.values[input].channels;
        let vector =
            |s: &Vec<usize>| matches!(s[..], [1, c, ref rest @ ..] if c == channels && rest.iter().all(|&n| n == 1));
        if from == to || (pixel && to.iter().all(vector)) {
            self.alias(node, input);
            return Ok(());
        }
        Err(refuse(node, format!("it turns {:?} into {:?}; only pooled vectors may change shape", from[0], to[0])))
    }
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a.max(1) } else { gcd(b, a % b) }
}
