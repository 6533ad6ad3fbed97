import { defineConfig, globalIgnores } from "eslint/config";
import tseslint from "typescript-eslint";

/** Biome formats and lints; ESLint adds only the rules that need types. */
export default defineConfig(globalIgnores(["gen/", "dist/"]), {
  files: ["**/*.{ts,tsx}"],
  plugins: { "@typescript-eslint": tseslint.plugin },
  languageOptions: {
    parser: tseslint.parser,
    parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname },
  },
  linterOptions: { reportUnusedDisableDirectives: "error" },
  rules: {
    "@typescript-eslint/await-thenable": "error",
    "@typescript-eslint/no-floating-promises": "error",
    "@typescript-eslint/no-misused-promises": "error",
    "@typescript-eslint/switch-exhaustiveness-check": [
      "error",
      { considerDefaultExhaustiveForUnions: true },
    ],
  },
});
