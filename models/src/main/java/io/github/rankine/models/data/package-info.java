/** Data sets: records of several common layouts, turned into tokens and labels. */
package io.github.rankine.models.data;
