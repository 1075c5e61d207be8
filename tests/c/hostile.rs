//! The program of hostile calls, written from the header: every function, each of its parameters in turn replaced by each bad value of its type, and in structs each
//! field. A function that the header gains is covered by itself, or the program does not compile until `hostile.h` has a good value for what is new in it.

use std::collections::BTreeMap;
use std::fmt::Write;

/// A parameter: its type as one line without `struct`, and its name.
#[derive(Clone)]
struct Parameter {
    kind: String,
    name: String,
}

/// Pointers that may be NULL.
const OPTIONAL: &[(&str, &str)] = &[
    ("ggpfn_last_error", "needed"),
    ("ggpfn_log_set", "callback"),
    ("ggpfn_monitor_set_callback", "callback"),
    ("ggpfn_model_new", "configuration"),
    ("ggpfn_segment", "options"),
    ("ggpfn_segment", "monitor"),
    ("ggpfn_segment_ensemble", "options"),
    ("ggpfn_segment_ensemble", "monitor"),
    ("ggpfn_result_warning", "kind"),
    ("ggpfn_estimate_memory", "options"),
    ("ggpfn_estimate_memory", "result"),
    ("ggpfn_estimate_memory_ensemble", "options"),
    ("ggpfn_estimate_memory_ensemble", "result"),
    ("ggpfn_threshold", "mask"),
    ("ggpfn_threshold", "measurements"),
    ("ggpfn_fuse", "axial"),
    ("ggpfn_fuse", "sagittal"),
    ("ggpfn_fuse", "coronal"),
    ("ggpfn_fuse", "weights"),
    ("ggpfn_fuse", "probability"),
    ("ggpfn_fuse", "mask"),
    ("ggpfn_training_new", "options"),
    ("ggpfn_training_add_folder", "layout"),
    ("ggpfn_training_add_folder", "split"),
    ("ggpfn_training_add_folder", "cache"),
    ("ggpfn_training_add_folder", "monitor"),
    ("ggpfn_training_run", "monitor"),
    ("ggpfn_training_run", "result"),
    ("ggpfn_trainer_gradients", "losses"),
];

/// Functions whose good call, as it is made here, ends in another way than well.
const REFUSED: &[(&str, &str)] = &[
    ("ggpfn_model_load", "GGPFN_ERROR_FILE"),
    ("ggpfn_model_save", "GGPFN_ERROR_FILE"),
    ("ggpfn_runtime_gpu", "GGPFN_ERROR_ARGUMENT"),
];

/// Structs that have grown, and the first field that they gained: sizes from there on are an older program's.
const GROWN: &[(&str, &str)] =
    &[("ggpfn_measurements", "expected_dice"), ("ggpfn_model_info", "label_count"), ("ggpfn_result", "label_map")];

/// All functions of the header that return a status.
fn functions(header: &str) -> Vec<(String, Vec<Parameter>)> {
    let body = header.split_once("extern \"C\" {").expect("the header's functions").1;
    let code: String =
        body.lines().filter(|line| !line.starts_with("//") && !line.starts_with('#')).collect::<Vec<_>>().join(" ");
    let mut found = Vec::new();
    for declaration in code.split(';') {
        let declaration = declaration.split_whitespace().collect::<Vec<_>>().join(" ").replace("struct ", "");
        let Some(rest) = declaration.strip_prefix("ggpfn_status ") else { continue };
        let (name, parameters) = rest.split_once('(').expect("parameters");
        let parameters = parameters.trim_end_matches(')').split(',').map(|parameter| {
            let parameter = parameter.trim();
            let start = parameter.rfind([' ', '*']).expect("a type and a name") + 1;
            Parameter { kind: parameter[..start].replace(' ', ""), name: parameter[start..].to_string() }
        });
        found.push((name.to_string(), parameters.filter(|p| p.kind != "void").collect()));
    }
    found
}

/// The structs of the header with their fields: type, name, elements.
fn structs(header: &str) -> BTreeMap<String, Vec<(String, String, usize)>> {
    let mut found = BTreeMap::new();
    for part in header.split("typedef struct ").skip(1) {
        let Some((name, rest)) = part.split_once(" {\n") else { continue };
        let fields = rest.split("\n}").next().expect("the struct's end");
        let fields = fields.lines().map(str::trim).filter(|line| !line.starts_with("//")).filter_map(|line| {
            let line = line.strip_suffix(';')?.replace("struct ", "");
            let (kind, name) = line.rsplit_once(' ')?;
            let (name, count) = match name.split_once('[') {
                Some((name, count)) => (name, count.trim_end_matches(']').parse().ok()?),
                None => (name, 1),
            };
            Some((kind.to_string(), name.to_string(), count))
        });
        found.insert(name.to_string(), fields.collect());
    }
    found
}

/// Bad values of a number's type.
fn bad_numbers(kind: &str, name: &str) -> &'static [&'static str] {
    match kind {
        // More than the buffer has would be a lie that nobody can see through.
        "size_t" if name == "capacity" => &["0", "1", "2"],
        "size_t" => &["0", "1", "SIZE_MAX", "SIZE_MAX / 2 + 1"],
        "int32_t" => &["-1", "4711", "INT_MAX", "INT_MIN"],
        "int64_t" => &["-1", "1", "INT64_MAX", "INT64_MIN"],
        "uint64_t" => &["0", "UINT64_MAX"],
        "uint32_t" => &["8", "UINT32_MAX"],
        "double" => &["NAN", "INFINITY", "-INFINITY", "-1.0", "1e308"],
        _ => &[],
    }
}

/// The good value of a parameter, and what has to be declared for it.
fn good(function: &str, parameter: &Parameter) -> (String, String) {
    let Parameter { kind, name } = parameter;
    let own = |declaration: String, value: String| (value, declaration);
    let plain = |value: &str| (value.to_string(), String::new());
    let inner = kind.trim_start_matches("const").trim_end_matches('*');
    match (kind.as_str(), name.as_str()) {
        ("size_t", "struct_size") => {
            plain(if function == "ggpfn_image_init" { "sizeof(ggpfn_image)" } else { "sizeof(ggpfn_segment_options)" })
        }
        ("size_t", "capacity") if function == "ggpfn_model_save_memory" => plain("file_bytes"),
        ("size_t", "capacity") => plain("sizeof text"),
        ("size_t", "length") if function == "ggpfn_model_load_memory" => plain("file_bytes"),
        ("size_t", "length") => plain("parameter_count"),
        ("size_t", "voxels") => plain("4"),
        ("size_t", "model_count") => plain("2"),
        ("constggpfn_model*const*", _) => plain("good_models"),
        ("size_t", "index") => plain("0"),
        ("int32_t", "level" | "stage" | "device" | "ranks") => plain("1"),
        ("int32_t", _) => plain("0"),
        ("uint64_t", _) => plain("1"),
        ("double", _) => plain("0.5"),
        ("ggpfn_log_callback", _) => plain("hear"),
        ("ggpfn_progress_callback", _) => plain("go_on"),
        ("constchar*", "folder") if function == "ggpfn_training_add_folder" => plain("cases"),
        ("constchar*", "folder") => plain("folder"),
        ("constchar*", "path") => plain("\"no/such/file\""),
        ("constchar*", "configuration") => plain("small_network"),
        ("constchar*", "options") => plain("\"t = 3\""),
        ("constchar*", "layout") => plain("\"pairs\""),
        ("constchar*", "split" | "cache") => plain("NULL"),
        ("constchar*", _) => plain("\"a name\""),
        ("char*", _) => plain("text"),
        ("constfloat*", "values") => plain("parameters"),
        ("float*", "values") => plain("parameters"),
        ("constfloat*", "probability") => plain("chances"),
        ("constfloat*", _) => plain("numbers"),
        ("float*", _) => plain("fused"),
        ("constdouble*", _) => plain("three"),
        ("uint8_t*", _) => plain("masks"),
        ("constvoid*", _) => plain("file"),
        ("void*", "buffer") => plain("file_room"),
        ("void*", _) => plain("NULL"),
        ("size_t*" | "int32_t*", _) => own(format!("{inner} own_{name} = 0;"), format!("&own_{name}")),
        ("ggpfn_model**" | "ggpfn_monitor**" | "ggpfn_training**" | "ggpfn_trainer**", _) => {
            let inner = kind.trim_end_matches('*');
            own(format!("{inner} *own_{name} = (void *)&calls;"), format!("&own_{name}"))
        }
        ("ggpfn_exchange_callback", _) => plain("alone"),
        ("uint32_t", _) => plain("0"),
        // What these settle must not hold for the calls behind them.
        ("ggpfn_training*", _) if ["ggpfn_training_set_model", "ggpfn_training_set_peers"].contains(&function) => {
            plain("empty_training")
        }
        _ if handle(kind) => plain(&format!("good_{}", inner.trim_start_matches("ggpfn_"))),
        _ => own(format!("{inner} own_{name} = good_{inner}();"), format!("&own_{name}")),
    }
}

fn handle(kind: &str) -> bool {
    ["ggpfn_model*", "ggpfn_monitor*", "ggpfn_training*", "ggpfn_trainer*"].contains(&kind.trim_start_matches("const"))
}

/// The program, and how many functions it covers.
pub fn program(header: &str) -> (String, usize) {
    let functions = functions(header);
    let structs = structs(header);
    let mut text = String::from("/* Written by the test driver from ggpfn.h. */\n#include \"hostile.h\"\n\n");
    for (function, parameters) in &functions {
        // Without anything bad it goes well; otherwise the bad value would not be what is refused.
        let (declared, values): (Vec<_>, Vec<_>) =
            parameters.iter().map(|p| good(function, p)).map(|(value, declaration)| (declaration, value)).unzip();
        let expected = REFUSED.iter().find(|(name, _)| name == function).map_or("GGPFN_OK", |(_, status)| status);
        let freed: String = (parameters.iter().filter(|p| p.kind.ends_with("**")))
            .map(|p| format!(" if (status == GGPFN_OK) {}_free(own_{});", p.kind.trim_end_matches('*'), p.name))
            .collect();
        let _ = writeln!(
            text,
            "static void good_{function}(void) {{ {} ggpfn_status status = {function}({}); \
             went(\"{function}\", status, {expected});{freed} }}\n\nstatic void test_{function}(void) {{",
            declared.concat(),
            values.join(", "),
        );
        for (changed, parameter) in parameters.iter().enumerate() {
            let inner = parameter.kind.trim_start_matches("const").trim_end_matches('*').to_string();
            let pointer = parameter.kind.ends_with('*') || parameter.kind.ends_with("callback");
            let optional = OPTIONAL.contains(&(function.as_str(), parameter.name.as_str()))
                || (parameter.name == "user_data" || parameter.name == "needed");
            // What is put in the place of the good value; statements before the call; whether success would be a fault.
            let mut cases: Vec<(String, String, bool, String)> = Vec::new();
            let own = format!("own_{}", parameter.name);
            if pointer {
                cases.push(("NULL".into(), String::new(), !optional, "NULL".into()));
            }
            if handle(&parameter.kind) {
                let foreign = if inner == "ggpfn_monitor" { "good_model" } else { "good_monitor" };
                for value in ["freed_handle", foreign, "(void *)8", "(void *)UINTPTR_MAX", "text"] {
                    cases.push((format!("(void *){value}"), String::new(), true, value.replace('"', "")));
                }
            } else if parameter.kind == "constchar*" {
                for value in ["\"\"", "\"\\xff\\xfe\""] {
                    cases.push((
                        value.into(),
                        String::new(),
                        false,
                        format!("text {}", value.replace(['"', '\\'], "")),
                    ));
                }
            } else if let Some(fields) = structs.get(&inner).filter(|_| parameter.kind.ends_with('*')) {
                if !function.ends_with("_init") {
                    let whole = match GROWN.iter().find(|(name, _)| *name == inner) {
                        Some((_, gained)) => format!("offsetof({inner}, {gained})"),
                        None => format!("sizeof({inner})"),
                    };
                    for size in ["0", "1", "sizeof(size_t)", &format!("{whole} - 1"), "10000", "SIZE_MAX"] {
                        cases.push((
                            format!("&{own}"),
                            format!("{own}.struct_size = {size};"),
                            true,
                            format!("struct_size {size}"),
                        ));
                    }
                }
                // At an odd address: copied there, which is no fault.
                let place = format!("char odd[sizeof({inner}) + 1]; memcpy(odd + 1, &{own}, sizeof {own});");
                cases.push(("(void *)(odd + 1)".into(), place, false, "an odd address".into()));
                for (kind, name, count) in fields.iter().filter(|(_, name, _)| name != "struct_size") {
                    for index in 0..*count {
                        for value in bad_numbers(kind, name) {
                            let place =
                                if *count > 1 { format!("{own}.{name}[{index}]") } else { format!("{own}.{name}") };
                            cases.push((
                                format!("&{own}"),
                                format!("{place} = {value};"),
                                false,
                                format!("{place} {value}"),
                            ));
                        }
                    }
                }
            } else {
                for value in bad_numbers(&parameter.kind, &parameter.name) {
                    cases.push((value.to_string(), String::new(), false, value.to_string()));
                }
            }
            for (value, before, must_fail, how) in cases {
                let (mut declared, mut values, mut after) = (String::new(), Vec::new(), String::new());
                for (number, other) in parameters.iter().enumerate() {
                    let (good, declaration) = good(function, other);
                    declared += &declaration;
                    let inner = other.kind.trim_start_matches("const").trim_end_matches('*');
                    if structs.contains_key(inner) && !other.kind.starts_with("const") {
                        let name = &other.name;
                        let _ = write!(
                            after,
                            "untouched(\"{function}\", how, status, &own_{name}, &before_{name}, sizeof own_{name});"
                        );
                    }
                    if matches!(other.kind.as_str(), "size_t*" | "int32_t*") && other.name != "needed" {
                        let _ = write!(after, "if (status != GGPFN_OK) CHECK(own_{} == 0);", other.name);
                    }
                    if other.kind.ends_with("**") {
                        let (kind, name) = (other.kind.trim_end_matches('*'), &other.name);
                        let _ = write!(after, "if (status == GGPFN_OK) {kind}_free(own_{name}); else CHECK((void *)own_{name} == (void *)&calls);");
                    }
                    values.push(if number == changed { value.clone() } else { good });
                }
                let mut copies = String::new();
                for other in parameters.iter().filter(|p| !p.kind.starts_with("const") && p.kind.ends_with('*')) {
                    let inner = other.kind.trim_end_matches('*');
                    if structs.contains_key(inner) {
                        let _ = write!(copies, "{inner} before_{0} = own_{0};", other.name);
                    }
                }
                let how = format!("{}: {how}", parameter.name);
                let _ = writeln!(
                    text,
                    "    {{ const char *how = \"{how}\"; {declared} {before} {copies} ggpfn_status status = {function}({}); judge(\"{function}\", how, status, {}); {after} }}",
                    values.join(", "),
                    i32::from(must_fail)
                );
            }
        }
        text += "}\n\n";
    }
    // What gives no status has to come back at least, and to leave what is not its own.
    text += "static void test_the_rest(void) {\n";
    for kind in ["model", "monitor", "training", "trainer"] {
        let foreign = if kind == "monitor" { "good_model" } else { "good_monitor" };
        for value in ["NULL", "freed_handle", foreign, "(void *)8", "(void *)UINTPTR_MAX", "text"] {
            let _ = writeln!(text, "    ggpfn_{kind}_free((void *){value}); calls++;");
        }
    }
    text +=
        "    for (int32_t n = -3; n < 99; n++) { CHECK(ggpfn_status_text(n) && ggpfn_status_text(n)[0]); calls++; }\n";
    text += "    CHECK(ggpfn_abi_version() == GGPFN_ABI_VERSION && ggpfn_version()[0]);\n";
    text += "    ggpfn_model_info info = good_ggpfn_model_info();\n    OK(ggpfn_model_describe(good_model, &info));\n";
    text += "    OK(ggpfn_monitor_cancel(good_monitor));\n}\n\n";
    text += "int main(int count, char **arguments) {\n    if (count != 3) return 2;\n    set_up(arguments[1], arguments[2]);\n";
    // The good calls first: bad ones may leave a training with cases that nothing can be learned from.
    for kind in ["good", "test"] {
        for (function, _) in &functions {
            let _ = writeln!(text, "    {kind}_{function}();");
        }
    }
    text += "    test_the_rest();\n";
    let _ = writeln!(
        text,
        "    printf(\"hostile: %ld calls of {} functions, a status each time\\n\", calls);\n    return 0;\n}}",
        functions.len()
    );
    (text, functions.len())
}
