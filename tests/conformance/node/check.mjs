// The form in which every tool here tells what it has found: a line of JSON for each check, as soon as it is known.

const DEADLINE = 20_000; // ms; the slowest check takes a tenth of it on a busy machine

/**
 * Make the checks one after another, and end the program: what hangs in one of them keeps nothing else waiting.
 *
 * @param checks functions by what they show; one that throws has shown the contrary. What it returns is a remark.
 */
export async function run(checks) {
  for (const [check, act] of Object.entries(checks)) tell({ check, ...(await attempt(act)) });
  process.exit(0);
}

function tell(found) {
  process.stdout.write(`${JSON.stringify(found)}\n`);
}

async function attempt(act) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no end after ${DEADLINE / 1000} s`)), DEADLINE);
  });
  try {
    return { passed: true, detail: String((await Promise.race([act(), late])) ?? '') };
  } catch (error) {
    return { passed: false, detail: String(error?.message ?? error) };
  } finally {
    clearTimeout(timer);
  }
}
