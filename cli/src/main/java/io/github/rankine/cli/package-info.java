/** The commands people run. */
package io.github.rankine.cli;
