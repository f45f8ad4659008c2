// The table at the end: who did what with whom, and how that went.

export function print(rows) {
  const cells = rows.map(({ who, what, done, failure, firstFailure }) => [
    who,
    what,
    done.join(", "),
    failure ? "FAILED" : firstFailure ? "ok at the second try" : "ok",
  ]);
  const head = ["client", "met, or asked for", "did", "result"];
  const widths = head.map((title, column) =>
    Math.max(title.length, ...cells.map((cell) => cell[column].length)),
  );
  const rule = widths.map((width) => "-".repeat(width));
  for (const line of [head, rule, ...cells]) {
    console.log(line.map((cell, column) => cell.padEnd(widths[column])).join("  ").trimEnd());
  }
  const failed = rows.filter(({ failure }) => failure);
  for (const { who, what, failure } of failed) console.log(`\n${who}, ${what}: ${failure}`);
  for (const { who, what, failure, firstFailure } of rows) {
    if (firstFailure && !failure) console.log(`\n${who}, ${what}, first try: ${firstFailure}`);
  }
  console.log(`\n${rows.length - failed.length} passed, ${failed.length} failed`);
}
