package io.github.rankine.cli;

import java.awt.Graphics2D;
import java.awt.image.BufferedImage;

/** Whether Java can draw text here, found out without Rankine's help: a bare machine may have no font. */
final class Fonts {
    private Fonts() {}

    static boolean areThere() {
        System.setProperty("java.awt.headless", "true");
        try {
            Graphics2D graphics = new BufferedImage(8, 8, BufferedImage.TYPE_INT_RGB).createGraphics();
            graphics.getFontMetrics().stringWidth("loss");
            graphics.dispose();
            return true;
        } catch (RuntimeException | Error e) {
            System.err.println("no fonts on this machine, loss.png is not tested: " + e);
            return false;
        }
    }
}
