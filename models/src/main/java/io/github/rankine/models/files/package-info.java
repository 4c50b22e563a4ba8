/** Files that are replaced whole or not at all. */
package io.github.rankine.models.files;
