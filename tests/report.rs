//! The HTML report and the pictures of `ggpfn evaluate`: complete, right for any name, and readable in a browser without a network.
//!
//! What a browser makes of the report is tested in Chromium, where there is one.

#[path = "common/needs.rs"]
mod needs;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use ggpfn::io::{self, Voxels};
use ggpfn::volume::Geometry;
use ndarray::{s, Array3};

/// A name that would be markup, a script, an entity and two quotes, with letters of Europe.
const NAME: &str = "größe <b>&amp; 'x' \"y\"";

/// A set of four cases, of which one fails, with scans.
fn set(folder: &Path) {
    let grid = Geometry::axis_aligned([40, 36, 12], [0.8, 0.9, 2.5]);
    let scan = Array3::from_shape_fn((12, 36, 40), |(k, j, i)| (10 * k + 3 * j + i) as f32 - 100.0);
    for (number, name) in [NAME, "two", "three", "broken"].into_iter().enumerate() {
        let write = |kind: &str, voxels: Voxels| {
            let path = folder.join(kind).join(format!("{name}.nii.gz"));
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            io::write(&path, voxels, &grid).unwrap();
        };
        let cuboid = |shift: usize| {
            let mut mask = Array3::<u8>::zeros((12, 36, 40));
            mask.slice_mut(s![3..9, 10..20, 12 + shift..26 + shift]).fill(1);
            mask
        };
        write("truth", Voxels::U8(cuboid(0).view()));
        write("a & <i>", Voxels::U8(cuboid(number).view()));
        write("b", Voxels::U8(cuboid(2 * number).view()));
        write("scans", Voxels::F32(scan.view()));
        let p = cuboid(number).mapv(|inside| 0.1 + 0.8 * f32::from(inside));
        write("maps", Voxels::F32(p.view()));
    }
    std::fs::write(folder.join("b/broken.nii.gz"), "no image").unwrap();
}

fn evaluate(folder: &Path, arguments: &[&str]) -> std::process::Output {
    Command::new(env!("CARGO_BIN_EXE_ggpfn")).current_dir(folder).arg("evaluate").args(arguments).output().unwrap()
}

/// The report of both systems.
fn report(folder: &Path) -> String {
    let systems = ["a & <i>", "b", "--truth", "truth", "--probabilities", "maps", "--probabilities", "maps"];
    let output = evaluate(folder, &[&systems[..], &["--images", "scans", "--html", "report.html"]].concat());
    // One case cannot be read.
    assert_eq!(output.status.code(), Some(3), "{}", String::from_utf8_lossy(&output.stderr));
    std::fs::read_to_string(folder.join("report.html")).unwrap()
}

#[test]
fn a_report_is_whole_and_names_are_no_markup() {
    let folder = tempfile::Builder::new().prefix("größe & co (1) '").tempdir().unwrap();
    set(folder.path());
    let page = report(folder.path());
    assert!(page.starts_with("<!DOCTYPE html>") && page.trim_end().ends_with("</html>"));
    assert!(page.contains("größe &lt;b&gt;&amp;amp; &#39;x&#39; &quot;y&quot;"));
    assert!(page.contains("a &amp; &lt;i&gt;"));
    for raw in ["<b>", "<i>", "& <", "\"y\""] {
        assert!(!page.contains(raw), "{raw}");
    }
    // Nothing is fetched from elsewhere, and the page forbids it.
    for far in ["http:", "https:", "src=", "@import", "url("] {
        assert!(!page.contains(far), "{far}");
    }
    assert!(page.contains("default-src 'none'"));
    for part in
        ["Failures", "b/broken.nii.gz", "Summary", "p (Holm)", "Curves", "Worst", "Median", "Best", "All cases", "seed"]
    {
        assert!(page.contains(part), "{part}");
    }
    assert_eq!(page.matches("class=\"viewer\"").count(), 3);
    assert!(page.contains("prefers-color-scheme: dark"));
    // The same inputs, the same file.
    assert!(page == report(folder.path()));
}

#[test]
fn a_report_of_one_pair_without_a_scan() {
    let folder = tempfile::tempdir().unwrap();
    set(folder.path());
    let output = evaluate(folder.path(), &["a & <i>/two.nii.gz", "truth/two.nii.gz", "--html", "one.html"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let page = std::fs::read_to_string(folder.path().join("one.html")).unwrap();
    assert!(page.contains("1 case evaluated") && page.contains("Case: two") && !page.contains("href=\"data:image"));
    assert!(!page.contains("p (Holm)") && !page.contains("Failures"));
}

#[test]
fn pictures_of_each_case_and_of_each_system() {
    let folder = tempfile::tempdir().unwrap();
    set(folder.path());
    let pictures = |names: &[PathBuf]| {
        for name in names {
            let bytes = std::fs::read(folder.path().join(name)).unwrap_or_else(|e| panic!("{}: {e}", name.display()));
            assert!(bytes.starts_with(b"\x89PNG"), "{}", name.display());
        }
    };
    let output = evaluate(folder.path(), &["a & <i>", "truth", "--pictures", "out", "--images", "scans"]);
    assert!(output.status.success());
    pictures(&[NAME, "two", "three"].map(|name| Path::new("out").join(format!("{name}.png"))));
    pictures(&[Path::new("out/two_regions.png").to_path_buf()]);
    // With a GGPFN there is what its global branch sees; with another network there is no such thing.
    let model = |name: &str, more: &[&str]| {
        let path = folder.path().join(name);
        let made = Command::new(env!("CARGO_BIN_EXE_ggpfn")).arg("new-model").arg(path).args(more).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    };
    model(
        "guided.safetensors",
        &["-t", "1", "--widths", "1,1,1,1", "--global-widths", "1,1,1,1,1", "--global-size", "32,32"],
    );
    model("other.safetensors", &["--baseline", "unet-full", "--width", "1"]);
    let guided = ["a & <i>", "truth", "--pictures", "guided", "--images", "scans", "--model"];
    let output = evaluate(folder.path(), &[&guided[..], &["guided.safetensors"]].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    pictures(&[Path::new("guided").join(format!("{NAME}_guidance.png")), PathBuf::from("guided/two_guidance.png")]);
    let output = evaluate(folder.path(), &[&guided[..], &["other.safetensors"]].concat());
    assert!(!output.status.success() && String::from_utf8_lossy(&output.stderr).contains("GGPFN"));
    // A scan on another grid is named, and the case is measured and drawn all the same.
    let other = Geometry::axis_aligned([40, 36, 11], [0.8, 0.9, 2.5]);
    io::write(&folder.path().join("scans/two.nii.gz"), Voxels::F32(Array3::zeros((11, 36, 40)).view()), &other)
        .unwrap();
    let output =
        evaluate(folder.path(), &["b", "a & <i>", "--truth", "truth", "--pictures", "more", "--images", "scans"]);
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{message}");
    assert!(message.contains("scans/two.nii.gz") && message.contains("40 x 36 x 11"), "{message}");
    pictures(&["more/b/two.png", "more/a & <i>/two.png", "more/b/three_regions.png"].map(PathBuf::from));
}

/// Steps that a reader takes, and what the page then shows, line by line.
const STEPS: &str = r#"
const told = [];
const viewer = document.querySelectorAll('.viewer')[0];
const shows = () => viewer.querySelector('output').textContent + ' | ' + viewer.querySelector('path').getAttribute('d').length;
const press = key => viewer.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true }));
told.push('first ' + shows());
press('Home'); told.push('home ' + shows());
press('ArrowUp'); told.push('up ' + shows());
press('ArrowDown'); press('ArrowDown'); told.push('down ' + shows());
press('End'); told.push('end ' + shows());
const slider = viewer.querySelector('input[type=range]');
told.push('slider ' + slider.hidden + ' ' + slider.value + ' ' + slider.max);
viewer.querySelector('input[type=checkbox]').click();
told.push('hidden ' + getComputedStyle(viewer.querySelector('path')).visibility);
const heads = document.querySelectorAll('table.sortable thead th');
heads[2].querySelector('button').click();
const cells = [...document.querySelectorAll('table.sortable tbody tr')].map(row => +row.cells[2].textContent);
told.push('sorted ' + cells.every((value, at) => at == 0 || cells[at - 1] >= value) + ' ' + cells.length);
told.push('title ' + document.title);
told.push('wide ' + (document.documentElement.scrollWidth <= innerWidth));
told.push('scheme ' + getComputedStyle(document.body).backgroundColor);
told.push('picture ' + viewer.querySelector('image').getAttribute('href').slice(0, 22));
told.push('fetched ' + performance.getEntriesByType('resource').filter(entry => !entry.name.startsWith('data:')).length);
told.push('errors ' + window.faults.length + window.faults.join());
const end = document.createElement('pre');
end.id = 'told';
end.textContent = told.join('\n');
document.body.append(end);
"#;

/// What the steps told.
fn in_browser(folder: &Path, dark: bool) -> String {
    let mut last = None;
    // A browser on a machine that is short of everything may end before it has begun.
    for attempt in 0..3 {
        let mut browser = Command::new("chromium");
        browser.args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--window-size=900,900",
        ]);
        // A profile of its own, so that no other browser is in the way.
        browser.arg(format!("--user-data-dir={}", folder.join(format!("profile {dark} {attempt}")).display()));
        if dark {
            browser.arg("--blink-settings=preferredColorScheme=0");
        }
        let page = folder.join("steps.html");
        let output = browser.args([OsStr::new("--dump-dom"), page.as_os_str()]).current_dir(folder).output().unwrap();
        let page = String::from_utf8_lossy(&output.stdout).into_owned();
        if let Some((_, told)) = page.split_once("<pre id=\"told\">") {
            return told.split("</pre>").next().unwrap_or_default().to_string();
        }
        last = Some(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    panic!("the page told nothing: {last:?}");
}

#[test]
fn a_report_works_in_a_browser() {
    if !needs::tool("chromium", "the report in a browser") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    set(folder.path());
    let page = report(folder.path());
    let watch = "<script>window.faults = []; addEventListener('error', e => faults.push(e.message)); \
                 addEventListener('securitypolicyviolation', e => faults.push(e.violatedDirective));</script>";
    let page = page.replacen("<title>", &format!("{watch}<title>"), 1);
    let page = page.replacen("</body>", &format!("<script>{STEPS}</script></body>"), 1);
    std::fs::write(folder.path().join("steps.html"), page).unwrap();
    for dark in [false, true] {
        let told = in_browser(folder.path(), dark);
        let told: Vec<&str> = told.lines().collect();
        // The masks are in the slices 4 to 9; 10 mm around them are 4 slices.
        assert!(told[0].starts_with("first axial slice 6 of 12 | ") && !told[0].ends_with(" 0"), "{told:?}");
        assert_eq!(
            told[1..],
            [
                "home axial slice 1 of 12 | 0",
                "up axial slice 2 of 12 | 0",
                "down axial slice 1 of 12 | 0",
                "end axial slice 12 of 12 | 0",
                "slider false 11 11",
                "hidden hidden",
                "sorted true 7",
                "title Evaluation of a &amp; &lt;i&gt;, b",
                "wide true",
                if dark { "scheme rgb(20, 23, 26)" } else { "scheme rgb(255, 255, 255)" },
                "picture data:image/png;base64,",
                "fetched 0",
                "errors 0",
            ],
            "{told:?}"
        );
    }
}
