package io.github.rankine.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.rankine.engine.RankineException;
import io.github.rankine.models.json.Json;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** What the demo tells, in sentences or as JSON, and which of its promises were not kept. */
final class DemoReport {
    private final Terminal terminal;
    private final boolean json;
    private final ObjectNode figures = Json.mapper().createObjectNode();
    private final List<String> missed = new ArrayList<>();
    private int chapters;

    DemoReport(Terminal terminal, boolean json) {
        this.terminal = terminal;
        this.json = json;
    }

    void chapter(String title) {
        chapters++;
        say((chapters == 1 ? "" : "\n") + chapters + ". " + title);
    }

    /** A line of the story: part of the result, or with JSON a note about what goes on. */
    void say(String line) {
        if (json) {
            terminal.err().println(line);
        } else {
            terminal.out().println(line);
        }
    }

    /** Where the figures for machines go. */
    ObjectNode figures() {
        return figures;
    }

    /** Notes a promise; the demo goes on to its end either way. */
    void require(boolean kept, String otherwise) {
        if (!kept) {
            missed.add(otherwise);
        }
    }

    /** @throws RankineException naming the promises that were not kept, if there are any */
    void finish(Path folder) {
        figures.put("output", folder.toString());
        missed.forEach(figures.putArray("missed")::add);
        if (json) {
            terminal.out().println(figures);
        }
        if (!missed.isEmpty()) {
            throw new RankineException("the demo did not come out as it should: " + String.join("; ", missed));
        }
    }
}
