// The live page: an editor, and beside it what the compiler makes of its text.

import { Page } from "./page";

new Page().start();
