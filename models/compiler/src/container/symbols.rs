//! Rows and width of the frame in a graph: found, written as symbols, and replaced by numbers.
//!
//! A graph that tract made for one size has only numbers. Where the same model's graphs for several sizes differ in nothing
//! but numbers, and every number is `a + b · R + c · W + d · R · W` (R and W multiples are the frame's rows and width), or
//! a real `1 / n` or `n` of such a whole n (means have them), the expressions in their places make one graph of all.

use tract_nnef::ast::{Argument, Assignment, Document, Invocation, Literal, RValue};

/// The symbols of rows and width.
const SYMBOLS: [&str; 2] = ["R", "W"];

/// The smallest multiples that graphs are made at, and one far away: as far as poolings of 64 pixels show.
pub fn sizes(multiple: usize) -> [[usize; 2]; 5] {
    let [r, w] = [96, 128].map(|side: usize| side.div_ceil(multiple));
    let far = 64 / multiple;
    [[r, w], [r + 1, w], [r, w + 1], [r + 1, w + 1], [r + far + 1, w + far + 3]]
}

/// One graph of those that were made at [`sizes`], if they have one.
pub fn find(documents: &[Document], sizes: &[[usize; 2]]) -> Option<Document> {
    let first = documents.first()?;
    let bodies: Vec<&[Assignment]> = documents.iter().map(|document| document.graph_def.body.as_slice()).collect();
    let same = |document: &Document| {
        let graphs = [&document.graph_def, &first.graph_def];
        document.fragments == first.fragments
            && graphs[0].parameters == graphs[1].parameters
            && graphs[0].results == graphs[1].results
            && graphs[0].body.len() == graphs[1].body.len()
    };
    if !documents.iter().all(same) {
        return None;
    }
    let mut found = first.clone();
    for (index, assignment) in found.graph_def.body.iter_mut().enumerate() {
        let all: Vec<&Assignment> = bodies.iter().map(|body| &body[index]).collect();
        if all.iter().any(|other| other.left != assignment.left) {
            return None;
        }
        assignment.right = common(&all.iter().map(|other| &other.right).collect::<Vec<_>>(), sizes)?;
    }
    Some(found)
}

/// The value that is each of these at its size.
fn common(all: &[&RValue], sizes: &[[usize; 2]]) -> Option<RValue> {
    let first = *all.first()?;
    if all.iter().all(|other| *other == first) {
        return Some(first.clone());
    }
    let lists = |list: fn(&RValue) -> Option<&Vec<RValue>>| {
        let lists = all.iter().map(|one| list(one)).collect::<Option<Vec<_>>>()?;
        let items = (0..lists[0].len()).map(|item| {
            let items = lists.iter().map(|list| list.get(item)).collect::<Option<Vec<_>>>()?;
            common(&items, sizes)
        });
        lists.iter().all(|list| list.len() == lists[0].len()).then_some(())?;
        items.collect::<Option<Vec<_>>>()
    };
    match first {
        RValue::Literal(Literal::Numeric(_)) => {
            let texts = all.iter().map(|one| match one {
                RValue::Literal(Literal::Numeric(text)) => Some(text.as_str()),
                _ => None,
            });
            numbers(&texts.collect::<Option<Vec<_>>>()?, sizes)
        }
        RValue::Array(_) => {
            lists(|one| if let RValue::Array(list) = one { Some(list) } else { None }).map(RValue::Array)
        }
        RValue::Tuple(_) => {
            lists(|one| if let RValue::Tuple(list) = one { Some(list) } else { None }).map(RValue::Tuple)
        }
        RValue::Invocation(call) => {
            let calls = all.iter().map(|one| if let RValue::Invocation(call) = one { Some(call) } else { None });
            let calls = calls.collect::<Option<Vec<_>>>()?;
            calls
                .iter()
                .all(|other| other.id == call.id && other.arguments.len() == call.arguments.len())
                .then_some(())?;
            let arguments = call.arguments.iter().enumerate().map(|(index, argument)| {
                let all: Vec<&Argument> = calls.iter().map(|call| &call.arguments[index]).collect();
                all.iter().all(|other| other.id == argument.id).then_some(())?;
                let rvalue = common(&all.iter().map(|other| &other.rvalue).collect::<Vec<_>>(), sizes)?;
                Some(Argument { id: argument.id.clone(), rvalue })
            });
            let arguments = arguments.collect::<Option<Vec<_>>>()?;
            Some(RValue::Invocation(Invocation { arguments, ..call.clone() }))
        }
        _ => None,
    }
}

/// The expression of numbers.
fn numbers(texts: &[&str], sizes: &[[usize; 2]]) -> Option<RValue> {
    if let Some(whole) = texts.iter().map(|text| text.parse::<i64>().ok()).collect::<Option<Vec<_>>>() {
        return expression(&whole, sizes);
    }
    let real = texts.iter().map(|text| text.parse::<f32>().ok()).collect::<Option<Vec<_>>>()?;
    let of = |value: fn(f32) -> f32| -> Option<RValue> {
        let whole = real.iter().map(|&number| Some(value(number).round()).filter(|whole| value(*whole) == number));
        let whole: Vec<i64> = whole.map(|whole| whole.map(|whole| whole as i64)).collect::<Option<_>>()?;
        expression(&whole, sizes)
    };
    let one = || RValue::Literal(Literal::Numeric("1.0".into()));
    let times = |whole| binary(one(), "*", whole);
    of(|number| number).map(times).or_else(|| of(f32::recip).map(|whole| binary(one(), "/", whole)))
}

/// `a + b · R + c · W + d · R · W` through the values at the first four sizes, if the others are on it.
fn expression(values: &[i64], sizes: &[[usize; 2]]) -> Option<RValue> {
    let [r, w] = sizes.first()?.map(|count| count as i64);
    let &[v, next_row, next_column, both, ..] = values else { return None };
    let d = both - next_row - next_column + v;
    let (b, c) = (next_row - v - d * w, next_column - v - d * r);
    let a = v - b * r - c * w - d * r * w;
    let at = |[r, w]: [usize; 2]| {
        let (r, w) = (r as i64, w as i64);
        a + b * r + c * w + d * r * w
    };
    sizes.iter().zip(values).all(|(&size, &value)| at(size) == value).then_some(())?;
    let [rows, width] = SYMBOLS.map(|name| RValue::Identifier(name.into()));
    let terms = [(b, rows.clone()), (c, width.clone()), (d, binary(rows, "*", width))];
    let terms = terms.into_iter().filter(|(factor, _)| *factor != 0);
    Some(terms.fold(whole(a), |sum, (factor, symbol)| binary(sum, "+", binary(whole(factor), "*", symbol))))
}

fn binary(left: RValue, operator: &str, right: RValue) -> RValue {
    RValue::Binary(left.boxed(), operator.into(), right.boxed())
}

fn whole(number: i64) -> RValue {
    RValue::Literal(Literal::Numeric(number.to_string()))
}

/// Puts numbers of multiples in the places of the symbols.
pub fn replace(document: &mut Document, counts: [usize; 2]) {
    for assignment in &mut document.graph_def.body {
        fill(&mut assignment.right, counts);
    }
}

fn fill(value: &mut RValue, counts: [usize; 2]) {
    match value {
        RValue::Identifier(name) => {
            if let Some(symbol) = SYMBOLS.iter().position(|symbol| name.0 == *symbol) {
                *value = whole(counts[symbol] as i64);
            }
        }
        RValue::Binary(left, operator, right) => {
            fill(left, counts);
            fill(right, counts);
            if let Some(number) = folded(left, operator, right) {
                *value = RValue::Literal(Literal::Numeric(number));
            }
        }
        RValue::Tuple(all) | RValue::Array(all) => all.iter_mut().for_each(|one| fill(one, counts)),
        RValue::Invocation(call) => call.arguments.iter_mut().for_each(|argument| fill(&mut argument.rvalue, counts)),
        _ => {}
    }
}

/// What two numbers make: whole ones, or 1.0 and a whole one.
fn folded(left: &RValue, operator: &str, right: &RValue) -> Option<String> {
    let (RValue::Literal(Literal::Numeric(left)), RValue::Literal(Literal::Numeric(right))) = (left, right) else {
        return None;
    };
    let right = right.parse::<i64>().ok()?;
    let number = match (left.parse::<i64>(), operator) {
        (Ok(left), "+") => left.checked_add(right)?.to_string(),
        (Ok(left), "*") => left.checked_mul(right)?.to_string(),
        (Err(_), "*") => format!("{:?}", right as f32),
        (Err(_), "/") => format!("{:?}", (right as f32).recip()),
        _ => return None,
    };
    Some(number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tract_nnef::ast::parse::parse_document;

    fn graph(reshape: &str) -> Document {
        parse_document(&format!(
            "version 1.0;\n\ngraph network(x) -> (y) {{\n  y = reshape(x, shape = {reshape});\n}}\n"
        ))
        .unwrap()
    }

    #[test]
    fn numbers_become_expressions_of_rows_and_width() {
        let sizes = sizes(8);
        let text = |[r, w]: [usize; 2]| format!("[2, {}, {}, {:?}]", 4 * r * w, 3 * r + 1, 1.0 / (r * w) as f32);
        let documents: Vec<Document> = sizes.iter().map(|&size| graph(&text(size))).collect();
        let mut found = find(&documents, &sizes).unwrap();
        replace(&mut found, [40, 3]);
        assert_eq!(found, graph(&text([40, 3])));
        let floors: Vec<Document> = sizes.iter().map(|[r, _]| graph(&format!("[{}]", r.div_ceil(2)))).collect();
        assert!(find(&floors, &sizes).is_none());
        let poolings: Vec<Document> = sizes.iter().map(|[_, w]| graph(&format!("[{}]", w / 8))).collect();
        assert!(find(&poolings, &sizes).is_none());
    }
}
