import { accentOf } from "../../model/accent.ts";

/** Writes the style of all pages, in the colour of a Site. */
export function styleOf(accentColor: string): string {
  const { accent, onAccent } = accentOf(accentColor);
  return `:root { color-scheme: light dark; --accent: ${accent}; --on-accent: ${onAccent}; }
:root { ${LIGHT} }
@media (prefers-color-scheme: dark) { :root { ${DARK} } }
${RULES}`;
}

const LIGHT =
  "--page: #f4f4f5; --card: #ffffff; --text: #18181b; --soft: #52525b; --line: #71717a; " +
  "--wrong: #b91c1c;";
const DARK =
  "--page: #09090b; --card: #18181b; --text: #f4f4f5; --soft: #b4b4bb; --line: #8b8b94; " +
  "--wrong: #fca5a5;";

const RULES = `
* { box-sizing: border-box; }
body { margin: 0; padding: 24px 16px; background: var(--page); color: var(--text);
  font: 16px/1.5 system-ui, sans-serif; }
header, main { max-width: 480px; margin: 0 auto; overflow-wrap: anywhere; }
header { padding: 24px 0 12px; font-size: 18px; font-weight: 600; }
header p { margin: 0; }
main { padding: 32px; background: var(--card); border: 1px solid var(--line);
  border-top: 6px solid var(--accent); border-radius: 8px; }
h1 { margin: 0 0 12px; font-size: 24px; line-height: 1.25; }
h2 { margin: 32px 0 8px; font-size: 18px; }
p { margin: 0 0 16px; }
main > :last-child { margin-bottom: 0; }
form { margin: 0; }
label { display: block; margin: 20px 0 4px; font-weight: 600; }
.hint { margin: 0 0 6px; color: var(--soft); font-size: 14px; }
.wrong { margin: 0 0 6px; color: var(--wrong); font-weight: 600; }
.problems { margin: 0 0 16px; padding: 12px 16px; border: 2px solid var(--wrong);
  border-radius: 6px; }
.problems p { margin: 0; font-weight: 600; }
.problems ul { margin: 4px 0 0; padding-left: 20px; }
a { color: inherit; }
input { width: 100%; min-height: 44px; padding: 8px 12px; font: inherit; color: var(--text);
  background: var(--card); border: 1px solid var(--line); border-radius: 6px; }
input[readonly] { background: var(--page); }
input[aria-invalid] { border: 2px solid var(--wrong); }
button, .button { display: block; width: 100%; min-height: 48px; margin: 28px 0 0;
  padding: 11px 24px; font: inherit; font-weight: 600; text-align: center; text-decoration: none;
  color: var(--on-accent); background: var(--accent); border: 1px solid var(--line);
  border-radius: 6px; cursor: pointer; }
:focus-visible { outline: 3px solid var(--text); outline-offset: 2px; }
@media (max-width: 480px) { body { padding: 0 0 24px; } header { padding: 16px 20px 12px; }
  main { padding: 24px 20px; border-width: 6px 0 1px; border-radius: 0; } }
`;
