//! Holds what commands print for programs against `docs/schemas`, strictly: what no schema describes
//! is refused here, though programs must expect fields that they do not know.
//!
//! It knows the part of JSON Schema that those files use, and refuses a keyword beyond it. Nothing
//! is fetched: a reference leads to a file in that folder.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// The folder of all schemas.
pub(crate) fn folder() -> PathBuf {
    let folders = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    let mut schemas = folders.map(|folder| folder.join("docs/schemas"));
    schemas.find(|folder| folder.is_dir()).expect("the root of the sources has the folder")
}

/// Panics unless the object is as the schema of this name describes it.
#[track_caller]
pub(crate) fn check(name: &str, object: &Value) {
    let file = format!("{name}.json");
    let found = Place { file: &file, path: "" }.check(&read(&file), object);
    assert_eq!(found, Ok(()), "{object}");
}

fn read(file: &str) -> Value {
    let text = fs::read_to_string(folder().join(file));
    let text = text.unwrap_or_else(|error| panic!("{file}: {error}"));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// Where one is in a schema's file, and in what is checked.
struct Place<'a> {
    file: &'a str,
    path: &'a str,
}

impl Place<'_> {
    fn check(&self, schema: &Value, value: &Value) -> Result<(), String> {
        let rules = schema.as_object().ok_or_else(|| self.refuse("a schema is an object"))?;
        for (keyword, rule) in rules {
            match keyword.as_str() {
                "$schema" | "$defs" | "title" | "description" => {}
                "$ref" => self.follow(rule, value)?,
                "const" => self.hold(rule == value, "is another constant")?,
                "enum" => self.hold(list(rule).contains(value), "is none of those")?,
                "anyOf" => self.hold(self.fitting(rule, value) > 0, "fits none")?,
                "oneOf" => self.hold(self.fitting(rule, value) == 1, "does not fit exactly one")?,
                "type" => self.check_type(rule, value)?,
                "required" => {
                    let lacks = list(rule).iter().filter_map(Value::as_str);
                    let lacks = lacks.filter(|name| value.is_object() && value.get(name).is_none());
                    let lacks = lacks.collect::<Vec<_>>().join(", ");
                    self.hold(lacks.is_empty(), &format!("lacks {lacks}"))?;
                }
                "properties" => self.check_properties(rule, value)?,
                "additionalProperties" => {
                    for (name, one) in value.as_object().into_iter().flatten() {
                        self.below(name, rule, one)?;
                    }
                }
                "items" => {
                    for (index, one) in list(value).iter().enumerate() {
                        self.below(&index.to_string(), rule, one)?;
                    }
                }
                "minimum" => {
                    let least = rule.as_f64().expect("a minimum is a number");
                    let is_less = value.as_f64().is_some_and(|value| value < least);
                    self.hold(!is_less, "is too small")?;
                }
                "minItems" | "maxItems" | "minLength" | "maxLength" => {
                    let bound = rule.as_u64().expect("a length is a number");
                    let length = match value {
                        Value::Array(items) => items.len() as u64,
                        Value::String(text) => text.chars().count() as u64,
                        _ => bound,
                    };
                    let is_within =
                        if keyword.starts_with("min") { length >= bound } else { length <= bound };
                    self.hold(is_within, &format!("breaks {keyword}"))?;
                }
                unknown => return Err(self.refuse(&format!("{unknown} is not known here"))),
            }
        }
        Ok(())
    }

    fn check_type(&self, rule: &Value, value: &Value) -> Result<(), String> {
        let is = |name: &Value| match name.as_str().expect("a type is named") {
            "null" => value.is_null(),
            "boolean" => value.is_boolean(),
            "string" => value.is_string(),
            "array" => value.is_array(),
            "object" => value.is_object(),
            "number" => value.is_number(),
            "integer" => value.is_u64() || value.is_i64(),
            unknown => panic!("there is no type {unknown}"),
        };
        let holds = rule.as_array().map_or_else(|| is(rule), |names| names.iter().any(is));
        self.hold(holds, &format!("is not of type {rule}"))
    }

    fn check_properties(&self, rule: &Value, value: &Value) -> Result<(), String> {
        for (name, one) in value.as_object().into_iter().flatten() {
            let rule = rule.get(name);
            let rule = rule.ok_or_else(|| self.refuse(&format!("{name} is not described")))?;
            self.below(name, rule, one)?;
        }
        Ok(())
    }

    /// `file.json#/a/place/in/it`.
    fn follow(&self, reference: &Value, value: &Value) -> Result<(), String> {
        let reference = reference.as_str().expect("a reference is text");
        let (file, place) = reference.split_once('#').unwrap_or((reference, ""));
        let file = if file.is_empty() { self.file } else { file };
        let whole = read(file);
        let schema = whole.pointer(place);
        let schema = schema.ok_or_else(|| self.refuse(&format!("{reference} leads nowhere")))?;
        Place { file, path: self.path }.check(schema, value)
    }

    fn fitting(&self, schemas: &Value, value: &Value) -> usize {
        list(schemas).iter().filter(|schema| self.check(schema, value).is_ok()).count()
    }

    fn below(&self, name: &str, schema: &Value, value: &Value) -> Result<(), String> {
        let path = format!("{}/{name}", self.path);
        Place { file: self.file, path: &path }.check(schema, value)
    }

    fn hold(&self, holds: bool, otherwise: &str) -> Result<(), String> {
        if holds { Ok(()) } else { Err(self.refuse(otherwise)) }
    }

    fn refuse(&self, why: &str) -> String {
        format!("{}: {} {why}", self.file, if self.path.is_empty() { "it" } else { self.path })
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn found(object: &Value) -> Result<(), String> {
        let file = "report-compare.json";
        Place { file, path: "" }.check(&read(file), object)
    }

    #[test]
    fn what_is_not_as_it_is_described_is_refused_with_its_place() {
        let row =
            json!({ "name": "sse p50", "a": 1, "b": 2, "interval": [0.5, 2], "verdict": "slower" });
        let object = |row: &Value| json!({ "schema": 1, "percentiles": [row], "notes": [], "report": "compare.html" });
        assert_eq!(found(&object(&row)), Ok(()));
        for (field, value, expected) in [
            ("a", json!("1"), "/percentiles/0/a is not of type [\"integer\",\"null\"]"),
            ("a", json!(-1), "/percentiles/0/a is too small"),
            ("interval", json!([1]), "/percentiles/0/interval breaks minItems"),
            ("verdict", json!("so so"), "/percentiles/0/verdict is none of those"),
            ("new", json!(1), "/percentiles/0 new is not described"),
        ] {
            let mut other = row.clone();
            other[field] = value;
            let found = found(&object(&other)).expect_err(expected);
            assert!(found.ends_with(expected), "{found}");
        }
        let mut other = object(&row);
        other["schema"] = json!(2);
        let other_version = found(&other).expect_err("it is of another version");
        assert_eq!(other_version, "common.json: /schema is another constant");
        let less = found(&json!({ "schema": 1 })).expect_err("a field is missing");
        assert!(less.ends_with("it lacks percentiles, notes, report"), "{less}");
    }

    /// A keyword that is not known shows where it is met; what no test prints is met here.
    #[test]
    fn every_reference_leads_somewhere() {
        let files = fs::read_dir(folder()).expect("the folder is there");
        let names = files.map(|file| file.expect("an entry").file_name().into_string());
        let names: BTreeSet<String> = names.map(|name| name.expect("a name in UTF-8")).collect();
        for name in &names {
            let text = read(name).to_string();
            for reference in text.split("\"$ref\":\"").skip(1) {
                let reference = reference.split('"').next().expect("there is always a first");
                let (file, place) = reference.split_once('#').expect("it leads into a file");
                assert!(read(file).pointer(place).is_some(), "{name}: {reference}");
            }
        }
        assert!(names.len() > 10, "{names:?}");
    }
}
