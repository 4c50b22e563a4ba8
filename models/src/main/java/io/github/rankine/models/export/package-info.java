/** Adapters in the formats of other programs. */
package io.github.rankine.models.export;
