//! `Pad` that crops (negative pads), or that wraps around (opset 19): slices, and copies from the other end. Everything
//! else is tract's.

use tract_onnx::model::{ParsingContext, optional_inputs};
use tract_onnx::pb;
use tract_onnx::tract_core::ops::array::{Pad as Filled, PadMode, Slice, TypedConcat};
use tract_onnx::tract_hir::internal::*;

use super::{integers, known};
use crate::import::attributes::{float, ints, text};

/// Reads the operator from an ONNX node.
pub fn parse(context: &ParsingContext, node: &pb::NodeProto) -> TractResult<(Box<dyn InferenceOp>, Vec<String>)> {
    let mode = match text(node, "mode", "constant").as_str() {
        "constant" => Mode::Constant,
        "reflect" => Mode::Reflect,
        "edge" => Mode::Edge,
        "wrap" => Mode::Wrap,
        other => bail!("Pad of mode `{other}`, expected constant, reflect, edge or wrap"),
    };
    let mut pad = Pad { mode, fixed: None, value: 0.0, value_input: None, axes_input: None };
    if context.onnx_operator_set_version < 11 {
        pad.fixed = Some(ints(node, "pads").ok_or_else(|| format_err!("a Pad without pads"))?);
        pad.value = float(node, "value", 0.0);
    } else {
        let mut optional = optional_inputs(node).skip(2);
        pad.value_input = optional.next().flatten().filter(|_| mode == Mode::Constant);
        pad.axes_input = optional.next().flatten();
    }
    Ok((expand(pad), vec![]))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Constant,
    Reflect,
    Edge,
    Wrap,
}

#[derive(Clone, Debug)]
struct Pad {
    mode: Mode,
    /// Before opset 11.
    fixed: Option<Vec<i64>>,
    value: f32,
    value_input: Option<usize>,
    axes_input: Option<usize>,
}

impl Pad {
    /// What is added to both ends of each side.
    fn pads(&self, rank: usize, pads: Option<&Tensor>, axes: Option<&Tensor>) -> TractResult<Vec<[i64; 2]>> {
        let pads = match (&self.fixed, pads) {
            (Some(pads), _) => pads.clone(),
            (None, Some(pads)) => integers(pads)?,
            (None, None) => bail!("the pads of a Pad are not known"),
        };
        let axes = axes.map(integers).transpose()?.unwrap_or_else(|| (0..rank as i64).collect());
        ensure!(pads.len() == 2 * axes.len(), "a Pad has {} pads for {} sides", pads.len(), axes.len());
        let mut all = vec![[0, 0]; rank];
        for (index, axis) in axes.iter().enumerate() {
            let place = if *axis < 0 { axis + rank as i64 } else { *axis };
            let place = usize::try_from(place).ok().and_then(|place| all.get_mut(place));
            *place.ok_or_else(|| format_err!("a Pad of side {axis}, expected one of {rank}"))? =
                [pads[index], pads[axes.len() + index]];
        }
        Ok(all)
    }
}

impl Expansion for Pad {
    fn name(&self) -> StaticName {
        "Pad".into()
    }

    fn rules<'r, 'p: 'r, 's: 'r>(
        &'s self,
        s: &mut Solver<'r>,
        inputs: &'p [TensorProxy],
        outputs: &'p [TensorProxy],
    ) -> InferenceResult {
        check_output_arity(outputs, 1)?;
        s.equals(&inputs[0].datum_type, &outputs[0].datum_type)?;
        s.equals(&inputs[0].rank, &outputs[0].rank)?;
        let known: Vec<_> = self.fixed.is_none().then_some(1).into_iter().chain(self.axes_input).collect();
        let values = known.iter().map(|&input| &inputs[input].value);
        s.given_all(values, move |s, values: Vec<Arc<Tensor>>| {
            s.given(&inputs[0].shape, move |s, shape| {
                let mut values = values.iter();
                let pads = if self.fixed.is_none() { values.next() } else { None };
                let pads = self.pads(shape.len(), pads.map(|v| &**v), values.next().map(|v| &**v))?;
                for (axis, (side, [before, after])) in shape.iter().zip(pads).enumerate() {
                    s.equals(&outputs[0].shape[axis], side.clone() + before + after)?;
                }
                Ok(())
            })
        })
    }

    fn wire(&self, prefix: &str, model: &mut TypedModel, inputs: &[OutletId]) -> TractResult<TVec<OutletId>> {
        let konst = |input: usize| known(model, inputs[input], "Pad");
        let fact = model.outlet_fact(inputs[0])?.clone();
        let given = self.fixed.is_none().then(|| konst(1)).transpose()?;
        let axes = self.axes_input.map(konst).transpose()?;
        let pads = self.pads(fact.rank(), given.as_deref(), axes.as_deref())?;
        let value = match self.value_input {
            Some(input) => konst(input)?.nth(0)?.into_arc_tensor(),
            None => tensor0(self.value).cast_to_dt(fact.datum_type)?.into_owned().into_arc_tensor(),
        };
        let mut wire = tvec![inputs[0]];
        for (axis, &[before, after]) in pads.iter().enumerate() {
            let [before, after] = [before.min(0), after.min(0)];
            if before < 0 || after < 0 {
                let side = model.outlet_fact(wire[0])?.shape[axis].clone();
                let slice = Slice::new(axis, TDim::from(-before), side + after);
                wire = model.wire_node(format!("{prefix}.crop_{axis}"), slice, &wire)?;
            }
        }
        let added: Vec<(usize, usize)> =
            pads.iter().map(|&[before, after]| (before.max(0) as usize, after.max(0) as usize)).collect();
        let mode = match self.mode {
            Mode::Constant => PadMode::Constant(value),
            Mode::Reflect => PadMode::Reflect,
            Mode::Edge => PadMode::Edge,
            Mode::Wrap => return wrap(prefix, model, wire, &added),
        };
        model.wire_node(prefix, Filled { pads: added, mode }, &wire)
    }
}

/// Adds what is at the other end.
fn wrap(
    prefix: &str,
    model: &mut TypedModel,
    mut wire: TVec<OutletId>,
    pads: &[(usize, usize)],
) -> TractResult<TVec<OutletId>> {
    for (axis, &(before, after)) in pads.iter().enumerate() {
        let side = model.outlet_fact(wire[0])?.shape[axis].clone();
        let mut parts = tvec![];
        if before > 0 {
            let slice = Slice::new(axis, side.clone() - before, side.clone());
            parts.extend(model.wire_node(format!("{prefix}.before_{axis}"), slice, &wire)?);
        }
        parts.extend(wire.iter().copied());
        if after > 0 {
            parts.extend(model.wire_node(format!("{prefix}.after_{axis}"), Slice::new(axis, 0, after), &wire)?);
        }
        if parts.len() > 1 {
            wire = model.wire_node(format!("{prefix}.wrap_{axis}"), TypedConcat { axis }, &parts)?;
        }
    }
    Ok(wire)
}
