// The one list of what hangs in the desk; panels.js says how. A line a module, in the order of the thread's menu.

import "./handling.js";
import "./filing.js";
import "./answers.js";
import "./availability.js";
import "./promises.js";
import "./deadlines.js";
import "./complaints.js";
import "./care.js";
import "./finding.js";
