//! Tables as files for spreadsheets. A cell that a spreadsheet would run as a formula is told to be text.

/// Tells spreadsheets that the file is UTF-8.
const MARK: char = '\u{feff}';

/// Rows of one width, the first being the heads.
pub fn table(rows: &[Vec<String>]) -> String {
    let mut out = String::from(MARK);
    for row in rows {
        for (n, cell) in row.iter().enumerate() {
            if n > 0 {
                out.push(',');
            }
            push_cell(&mut out, cell);
        }
        out.push_str("\r\n");
    }
    out
}

fn push_cell(out: &mut String, cell: &str) {
    let is_number =
        !cell.is_empty() && cell.trim_start_matches('-').bytes().all(|byte| byte.is_ascii_digit());
    // Spreadsheets skip blanks before they look for a formula.
    let first = cell.trim_start().chars().next();
    let is_formula = !is_number
        && (matches!(first, Some('=' | '+' | '-' | '@' | '＝' | '＋' | '－' | '＠'))
            || cell.starts_with(['\t', '\r', '\n']));
    out.push('"');
    if is_formula {
        out.push('\'');
    }
    out.push_str(&cell.replace('"', "\"\""));
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(cells: &[&str]) -> String {
        let row = cells.iter().map(|cell| (*cell).to_owned()).collect();
        table(&[row]).trim_start_matches(MARK).trim_end().to_owned()
    }

    #[test]
    fn cells_are_quoted() {
        assert_eq!(line(&["a", "1,5", "say \"no\""]), r#""a","1,5","say ""no""""#);
        assert!(table(&[]).starts_with(MARK));
    }

    #[test]
    fn formulas_are_text() {
        for cell in ["=1+1", "+cmd", "-2+3", "@SUM(A1)", "\t=1", " =1", "＝1", "\r\n=1"] {
            assert!(line(&[cell]).starts_with("\"'"), "{cell}");
        }
        assert_eq!(line(&["-15", "15", "TEST-1", ""]), r#""-15","15","TEST-1","""#, "numbers stay numbers");
    }
}
