//! What the address of the list of modules asks for.

use gen_registry_api::{ModuleFilter, ModuleSort};

/// The orders that can be chosen: the sort, its word in the address, its label.
pub const SORTS: [(ModuleSort, &str, &str); 5] = [
    (ModuleSort::Relevance, "relevance", "Best match"),
    (ModuleSort::Recent, "recent", "Newest first"),
    (ModuleSort::Popular, "popular", "Most installed"),
    (ModuleSort::Rated, "rated", "Best rated"),
    (ModuleSort::Name, "name", "By name"),
];

/// Finds a sort by its word in the address. Returns `None` for any other word.
pub fn find_sort(key: &str) -> Option<ModuleSort> {
    SORTS.iter().find(|(_, word, _)| *word == key).map(|(sort, ..)| *sort)
}

/// A text, filters and an order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ModuleQuery {
    /// Free text, or nothing.
    pub text: String,
    /// What a module must have.
    pub filter: ModuleFilter,
    /// `None` for the natural order: see [`Self::order`].
    pub sort: Option<ModuleSort>,
}

impl ModuleQuery {
    /// Reads the values of a query string. Spaces around a value are dropped, and so are empty and unknown values.
    pub fn parse(get: impl Fn(&str) -> Option<String>) -> Self {
        let text = |key: &str| get(key).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
        Self {
            filter: ModuleFilter {
                tag: text("tag"),
                owner: text("owner"),
                imports_nothing: text("pure").is_some(),
                exports: text("exports"),
            },
            text: text("q").unwrap_or_default(),
            sort: text("sort").and_then(|key| find_sort(&key)),
        }
    }

    /// The query string's keys and values that are not the default, not encoded yet.
    pub fn pairs(&self) -> Vec<(&'static str, String)> {
        let sort = SORTS.iter().find(|(sort, ..)| Some(*sort) == self.sort);
        let pairs = [
            ("tag", self.filter.tag.clone()),
            ("owner", self.filter.owner.clone()),
            ("exports", self.filter.exports.clone()),
            ("pure", self.filter.imports_nothing.then(|| "1".to_owned())),
            ("q", Some(self.text.clone()).filter(|text| !text.is_empty())),
            ("sort", sort.map(|(_, key, _)| (*key).to_owned())),
        ];
        pairs.into_iter().filter_map(|(key, value)| value.map(|value| (key, value))).collect()
    }

    /// The order that applies: without a text nothing matches better than anything else.
    pub fn order(&self) -> ModuleSort {
        let natural = if self.text.is_empty() { ModuleSort::Recent } else { ModuleSort::Relevance };
        self.sort.filter(|sort| *sort != ModuleSort::Relevance).unwrap_or(natural)
    }

    /// Whether it asks for all modules.
    pub fn is_everything(&self) -> bool {
        self.filter == ModuleFilter::default() && self.text.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(pairs: &[(&str, &str)]) -> ModuleQuery {
        ModuleQuery::parse(|key| pairs.iter().find(|(name, _)| *name == key).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn nothing_asks_for_everything() {
        let query = parse(&[]);
        assert_eq!(query, ModuleQuery::default());
        assert!(query.is_everything());
        assert!(query.pairs().is_empty());
    }

    #[test]
    fn values_are_trimmed_and_empty_ones_dropped() {
        let query = parse(&[("q", "  crc  "), ("tag", "   "), ("owner", ""), ("pure", "1"), ("exports", " run ")]);
        assert_eq!(query.text, "crc");
        assert_eq!((query.filter.tag, query.filter.owner), (None, None));
        assert_eq!(query.filter.exports.as_deref(), Some("run"));
        assert!(query.filter.imports_nothing);
    }

    #[test]
    fn an_unknown_sort_is_no_sort() {
        assert_eq!(parse(&[("sort", "newest")]).sort, None);
        assert_eq!(parse(&[("sort", "NAME")]).sort, None);
        assert_eq!(parse(&[("sort", "name")]).sort, Some(ModuleSort::Name));
        assert_eq!(find_sort(""), None);
    }

    #[test]
    fn relevance_needs_a_text() {
        let order = |text: &str, sort: &str| parse(&[("q", text), ("sort", sort)]).order();
        assert_eq!(order("", ""), ModuleSort::Recent);
        assert_eq!(order("crc", ""), ModuleSort::Relevance);
        assert_eq!(order("", "relevance"), ModuleSort::Recent);
        assert_eq!(order("crc", "relevance"), ModuleSort::Relevance);
        assert_eq!(order("crc", "rated"), ModuleSort::Rated);
    }

    #[test]
    fn what_is_written_is_read_again() {
        let long = "ü".repeat(2_000);
        for pairs in [
            vec![("q", "a=b&c")],
            vec![("q", long.as_str()), ("sort", "popular")],
            vec![("tag", "żółw"), ("owner", "did:gen:z1"), ("pure", "1"), ("exports", "f"), ("sort", "relevance")],
        ] {
            let query = parse(&pairs);
            let written = query.pairs();
            let again = ModuleQuery::parse(|key| written.iter().find(|(k, _)| *k == key).map(|(_, v)| v.clone()));
            assert_eq!(again, query);
        }
    }
}
