//! Functions of one value, as the importer finds them: what becomes a folded affine, a clamp or a 256-entry table.
//!
//! Sigmoid and Mul make a SiLU, five operators make a GELU: composed as expressions over one value they cost one table,
//! whichever way an exporter spelled them.

use std::rc::Rc;

/// A function of a value `x` and its channel.
#[derive(Clone, Debug)]
pub enum Expr {
    /// The value itself.
    X,
    /// One constant, or one per channel.
    Const(Rc<[f32]>),
    /// A function of one argument.
    Unary(Unary, Rc<Expr>),
    /// A function of two arguments.
    Binary(Binary, Rc<Expr>, Rc<Expr>),
}

/// ONNX's unary operators, with their attributes.
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(missing_docs, reason = "each is the ONNX operator of that name")]
pub enum Unary {
    Abs,
    Ceil,
    Celu(f32),
    Clip(f32, f32),
    Cos,
    Elu(f32),
    Erf,
    Exp,
    Floor,
    Gelu { tanh: bool },
    HardSigmoid(f32, f32),
    HardSwish,
    LeakyRelu(f32),
    Log,
    Mish,
    Neg,
    Reciprocal,
    Round,
    Selu(f32, f32),
    Sigmoid,
    Sin,
    Softplus,
    Softsign,
    Sqrt,
    Tanh,
    ThresholdedRelu(f32),
}

/// ONNX's elementwise binary operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is the ONNX operator of that name")]
pub enum Binary {
    Add,
    Sub,
    Mul,
    Div,
    Max,
    Min,
    Pow,
    /// PRelu: the second argument is the slope.
    PRelu,
}

impl Unary {
    /// The function's value, in double precision.
    pub fn eval(self, x: f64) -> f64 {
        let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
        let softplus = |x: f64| if x > 30.0 { x } else { x.exp().ln_1p() };
        let f = |v: f32| f64::from(v);
        match self {
            Unary::Abs => x.abs(),
            Unary::Ceil => x.ceil(),
            Unary::Celu(alpha) => x.max(0.0) + (f(alpha) * (x / f(alpha)).exp_m1()).min(0.0),
            Unary::Clip(low, high) => x.max(f(low)).min(f(high)),
            Unary::Cos => x.cos(),
            Unary::Elu(alpha) => {
                if x < 0.0 {
                    f(alpha) * x.exp_m1()
                } else {
                    x
                }
            }
            Unary::Erf => erf(x),
            Unary::Exp => x.exp(),
            Unary::Floor => x.floor(),
            Unary::Gelu { tanh: false } => 0.5 * x * (1.0 + erf(x * std::f64::consts::FRAC_1_SQRT_2)),
            Unary::Gelu { tanh: true } => {
                0.5 * x * (1.0 + ((2.0 / std::f64::consts::PI).sqrt() * (x + 0.044_715 * x.powi(3))).tanh())
            }
            Unary::HardSigmoid(alpha, beta) => (f(alpha) * x + f(beta)).clamp(0.0, 1.0),
            Unary::HardSwish => x * (x / 6.0 + 0.5).clamp(0.0, 1.0),
            Unary::LeakyRelu(alpha) => {
                if x < 0.0 {
                    f(alpha) * x
                } else {
                    x
                }
            }
            Unary::Log => x.ln(),
            Unary::Mish => x * softplus(x).tanh(),
            Unary::Neg => -x,
            Unary::Reciprocal => 1.0 / x,
            Unary::Round => x.round_ties_even(),
            Unary::Selu(alpha, gamma) => f(gamma) * if x < 0.0 { f(alpha) * x.exp_m1() } else { x },
            Unary::Sigmoid => sigmoid(x),
            Unary::Sin => x.sin(),
            Unary::Softplus => softplus(x),
            Unary::Softsign => x / (1.0 + x.abs()),
            Unary::Sqrt => x.sqrt(),
            Unary::Tanh => x.tanh(),
            Unary::ThresholdedRelu(alpha) => {
                if x > f(alpha) {
                    x
                } else {
                    0.0
                }
            }
        }
    }
}

impl Binary {
    fn eval(self, a: f64, b: f64) -> f64 {
        match self {
            Binary::Add => a + b,
            Binary::Sub => a - b,
            Binary::Mul => a * b,
            Binary::Div => a / b,
            Binary::Max => a.max(b),
            Binary::Min => a.min(b),
            Binary::Pow => a.powf(b),
            Binary::PRelu => {
                if a < 0.0 {
                    a * b
                } else {
                    a
                }
            }
        }
    }
}

impl Expr {
    /// The value at `x` in `channel`.
    pub fn eval(&self, x: f64, channel: usize) -> f64 {
        match self {
            Expr::X => x,
            Expr::Const(values) => f64::from(values[if values.len() == 1 { 0 } else { channel }]),
            Expr::Unary(f, a) => f.eval(a.eval(x, channel)),
            Expr::Binary(f, a, b) => f.eval(a.eval(x, channel), b.eval(x, channel)),
        }
    }

    /// The expression with `inner` in the place of its value.
    pub fn compose(&self, inner: &Expr) -> Expr {
        match self {
            Expr::X => inner.clone(),
            Expr::Const(values) => Expr::Const(Rc::clone(values)),
            Expr::Unary(f, a) => Expr::Unary(*f, Rc::new(a.compose(inner))),
            Expr::Binary(f, a, b) => Expr::Binary(*f, Rc::new(a.compose(inner)), Rc::new(b.compose(inner))),
        }
    }

    /// Number of nodes, so that composing stays bounded.
    pub fn size(&self) -> usize {
        match self {
            Expr::X | Expr::Const(_) => 1,
            Expr::Unary(_, a) => 1 + a.size(),
            Expr::Binary(_, a, b) => 1 + a.size() + b.size(),
        }
    }

    /// Whether the function differs between channels.
    pub fn per_channel(&self) -> bool {
        match self {
            Expr::X => false,
            Expr::Const(values) => values.len() > 1,
            Expr::Unary(_, a) => a.per_channel(),
            Expr::Binary(_, a, b) => a.per_channel() || b.per_channel(),
        }
    }

    /// Factor and offset per channel where the function is affine.
    pub fn affine(&self, channels: usize) -> Option<Vec<(f64, f64)>> {
        let is_const = |e: &Expr| matches!(e, Expr::Const(_));
        let ok = match self {
            Expr::X => true,
            Expr::Unary(Unary::Neg, a) => a.affine(channels).is_some(),
            Expr::Binary(Binary::Add | Binary::Sub | Binary::Mul, a, b) => {
                (is_const(a) && b.affine(channels).is_some()) || (is_const(b) && a.affine(channels).is_some())
            }
            Expr::Binary(Binary::Div, a, b) => is_const(b) && a.affine(channels).is_some(),
            _ => false,
        };
        let line = |c| {
            let offset = self.eval(0.0, c);
            (self.eval(1.0, c) - offset, offset)
        };
        let lines: Option<Vec<(f64, f64)>> = ok.then(|| (0..channels).map(line).collect());
        lines.filter(|lines| lines.iter().all(|(f, o)| f.is_finite() && o.is_finite()))
    }

    /// Bounds where the function is a clip (Relu, Clip, Relu6).
    pub fn clip(&self) -> Option<(f32, f32)> {
        match self {
            Expr::Unary(Unary::Clip(low, high), a) if matches!(**a, Expr::X) => Some((*low, *high)),
            _ => None,
        }
    }
}

/// The error function: the Taylor series below 2.5 and the continued fraction above, in double precision.
fn erf(x: f64) -> f64 {
    let a = x.abs();
    if a > 6.0 {
        return x.signum();
    }
    let value = if a < 2.5 {
        let (mut term, mut sum, mut n) = (a, a, 0.0);
        while term.abs() > 1e-17 * sum.abs() {
            n += 1.0;
            term *= -a * a / n;
            sum += term / (2.0 * n + 1.0);
        }
        sum * std::f64::consts::FRAC_2_SQRT_PI
    } else {
        let fraction = (1..=60).rev().fold(a, |tail, k| a + f64::from(k) / 2.0 / tail);
        1.0 - (-a * a).exp() / (fraction * std::f64::consts::PI.sqrt())
    };
    value.copysign(x)
}
