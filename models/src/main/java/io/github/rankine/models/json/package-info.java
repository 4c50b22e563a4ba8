/** JSON from files that may be damaged or hostile: every complaint is one line that names the file, the field and what is expected. */
package io.github.rankine.models.json;
