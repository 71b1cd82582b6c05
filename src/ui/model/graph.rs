//! Where the boxes and lines of a picture of dependencies go: one column for each step away, a line for each need.

use std::collections::BTreeMap;

use gen_registry_api::NeededModule;

/// The size of a box, in units of the picture.
pub const BOX_WIDTH: f64 = 150.0;
pub const BOX_HEIGHT: f64 = 44.0;
const COLUMN: f64 = 210.0;
const ROW: f64 = 60.0;
/// More would be no picture any more; the list says it all.
const BOXES_MAX: usize = 60;

/// A module's box, by its upper left corner.
#[derive(Clone, Debug, PartialEq)]
pub struct PlacedModule {
    pub module: NeededModule,
    pub x: f64,
    pub y: f64,
}

/// A picture of dependencies.
#[derive(Clone, Debug, PartialEq)]
pub struct Graph {
    /// The page's module first.
    pub boxes: Vec<PlacedModule>,
    /// SVG paths from the right of a box to the left of one that it needs.
    pub lines: Vec<String>,
    pub width: f64,
    pub height: f64,
}

/// Lays the modules out. Returns `None` where a picture says nothing: for a single module, and for too many.
///
/// `modules` are each after those they need; the last one is what the page is about.
pub fn lay_out(modules: Vec<NeededModule>) -> Option<Graph> {
    if modules.len() <= 1 || modules.len() > BOXES_MAX {
        return None;
    }
    let boxes = place(modules);
    let width = boxes.iter().map(|one| one.x + BOX_WIDTH).fold(0.0, f64::max) + 2.0;
    let height = boxes.iter().map(|one| one.y + BOX_HEIGHT).fold(0.0, f64::max) + 2.0;
    let lines = boxes
        .iter()
        .flat_map(|one| {
            let find = |name: &String| boxes.iter().find(|other| other.module.name == *name);
            one.module.needs.iter().filter_map(find).map(|other| connect(one, other))
        })
        .collect();
    Some(Graph { boxes, lines, width, height })
}

/// Puts each module into the column of its longest way from the page's module, below those that are there already.
fn place(modules: Vec<NeededModule>) -> Vec<PlacedModule> {
    let mut depths: BTreeMap<String, usize> = BTreeMap::new();
    let mut rows: BTreeMap<usize, usize> = BTreeMap::new();
    let mut placed = Vec::new();
    for module in modules.into_iter().rev() {
        let depth = depths.get(&module.name).copied().unwrap_or_default();
        for needed in &module.needs {
            // The longest way counts, so that every line leads to the right.
            let known = depths.entry(needed.clone()).or_default();
            *known = (*known).max(depth + 1);
        }
        let row = rows.entry(depth).or_default();
        placed.push(PlacedModule { module, x: depth as f64 * COLUMN, y: *row as f64 * ROW });
        *row += 1;
    }
    placed
}

/// A curve that leaves and arrives horizontally.
fn connect(from: &PlacedModule, to: &PlacedModule) -> String {
    let (from_x, from_y) = (from.x + BOX_WIDTH, from.y + BOX_HEIGHT / 2.0);
    let (to_x, to_y) = (to.x, to.y + BOX_HEIGHT / 2.0);
    let middle = f64::midpoint(from_x, to_x);
    format!("M{from_x} {from_y} C{middle} {from_y} {middle} {to_y} {to_x} {to_y}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn module(name: &str, needs: &[&str]) -> NeededModule {
        NeededModule {
            name: name.to_owned(),
            version: "1.0.0".to_owned(),
            needs: needs.iter().map(|name| (*name).to_owned()).collect(),
        }
    }

    /// The column and row of a module.
    fn cell(graph: &Graph, name: &str) -> (f64, f64) {
        let one = graph.boxes.iter().find(|one| one.module.name == name).expect("the module has a box");
        (one.x / COLUMN, one.y / ROW)
    }

    #[test]
    fn one_module_is_no_picture_and_neither_are_too_many() {
        assert_eq!(lay_out(vec![]), None);
        assert_eq!(lay_out(vec![module("a", &[])]), None);
        let many = |count: usize| (0..count).map(|n| module(&n.to_string(), &[])).collect::<Vec<_>>();
        assert!(lay_out(many(BOXES_MAX)).is_some());
        assert_eq!(lay_out(many(BOXES_MAX + 1)), None);
    }

    #[test]
    fn every_line_leads_to_the_right() {
        let graph = lay_out(vec![
            module("base", &[]),
            module("hash", &["base"]),
            module("text", &["base"]),
            module("app", &["hash", "text", "base"]),
        ])
        .expect("four modules are a picture");
        assert_eq!(cell(&graph, "app"), (0.0, 0.0));
        assert_eq!(cell(&graph, "text"), (1.0, 0.0));
        assert_eq!(cell(&graph, "hash"), (1.0, 1.0));
        assert_eq!(cell(&graph, "base"), (2.0, 0.0));
        assert_eq!(graph.lines.len(), 5);
        assert_eq!((graph.width, graph.height), (2.0 * COLUMN + BOX_WIDTH + 2.0, ROW + BOX_HEIGHT + 2.0));
    }

    #[test]
    fn a_need_that_is_not_in_the_list_has_no_line() {
        let graph = lay_out(vec![module("b", &["unknown"]), module("a", &["b", "gone"])]).expect("a picture");
        assert_eq!(graph.lines, ["M150 22 C180 22 180 22 210 22"]);
    }
}
