package dev.graft.eval.suites;

import java.awt.Color;
import java.awt.Graphics2D;
import java.awt.RenderingHints;
import java.awt.Shape;
import java.awt.geom.AffineTransform;
import java.awt.geom.Area;
import java.awt.geom.Ellipse2D;
import java.awt.geom.Path2D;
import java.awt.image.BufferedImage;
import java.util.List;
import java.util.Random;

/**
 * The drawing in a picture of a twin: figures of one or several shapes on a ground of noise. A model that tells shapes apart by single
 * points must see each shape in every colour, place, size and turn.
 *
 * @param shapes of the figures, side by side: indices into {@link #SHAPES}
 * @param hue of the figures, from 0 to 1
 * @param place of the middle, from 0 (left) to 1
 * @param height of the middle, from 0 (top) to 1
 * @param size of the side of all figures, as a share of the picture's
 * @param turn of each, in radians
 */
record TwinDrawing(List<Integer> shapes, double hue, double place, double height, double size, double turn) {
    /** The names of the shapes. */
    static final List<String> SHAPES =
            List.of("disk", "square", "triangle", "star", "cross", "ring", "crescent", "arrow", "bar", "bolt");

    private static final int NOISE = 40;

    /** Returns a random drawing with hues up to a half, or beyond it for tests. */
    static TwinDrawing of(List<Integer> shapes, boolean isTest, Random random) {
        return new TwinDrawing(
                shapes,
                (random.nextDouble() + (isTest ? 1 : 0)) / 2,
                random.nextDouble(),
                random.nextDouble(),
                0.5 + 0.4 * random.nextDouble(),
                2 * Math.PI * random.nextDouble());
    }

    /** The picture. */
    BufferedImage drawn(int side, Random random) {
        BufferedImage picture = new BufferedImage(side, side, BufferedImage.TYPE_INT_RGB);
        int ground = NOISE + random.nextInt(256 - 3 * NOISE);
        for (int y = 0; y < side; y++) {
            for (int x = 0; x < side; x++) {
                picture.setRGB(
                        x,
                        y,
                        new Color(
                                        ground + random.nextInt(NOISE),
                                        ground + random.nextInt(NOISE),
                                        ground + random.nextInt(NOISE))
                                .getRGB());
            }
        }
        Graphics2D pen = picture.createGraphics();
        pen.setRenderingHint(RenderingHints.KEY_ANTIALIASING, RenderingHints.VALUE_ANTIALIAS_ON);
        pen.setColor(Color.getHSBColor((float) hue, 1, ground < 128 ? 1 : 0.45f));
        double each = size * side / shapes.size();
        double free = (1 - size) * side;
        for (int i = 0; i < shapes.size(); i++) {
            AffineTransform placed = AffineTransform.getTranslateInstance(
                    free * place + each * (i + 0.5), each / 2 + (side - each) * height);
            placed.rotate(turn);
            placed.scale(each, each);
            pen.fill(placed.createTransformedShape(outline(SHAPES.get(shapes.get(i)))));
        }
        pen.dispose();
        return picture;
    }

    /** Around the origin, inside a circle of the diameter 1. */
    private static Shape outline(String shape) {
        return switch (shape) {
            case "disk" -> disk(0, 0, 0.5);
            case "square" -> polygon(-0.35, -0.35, 0.35, -0.35, 0.35, 0.35, -0.35, 0.35);
            case "triangle" -> polygon(0, -0.5, 0.43, 0.25, -0.43, 0.25);
            case "star" -> star();
            case "cross" ->
                polygon(
                        -0.13, -0.48, 0.13, -0.48, 0.13, -0.13, 0.48, -0.13, 0.48, 0.13, 0.13, 0.13, 0.13, 0.48, -0.13,
                        0.48, -0.13, 0.13, -0.48, 0.13, -0.48, -0.13, -0.13, -0.13);
            case "ring" -> without(disk(0, 0, 0.5), disk(0, 0, 0.3));
            case "crescent" -> without(disk(0, 0, 0.5), disk(0.25, 0, 0.42));
            case "arrow" -> polygon(0, -0.5, 0.4, 0, 0.13, 0, 0.13, 0.48, -0.13, 0.48, -0.13, 0, -0.4, 0);
            case "bar" -> polygon(-0.1, -0.49, 0.1, -0.49, 0.1, 0.49, -0.1, 0.49);
            default -> polygon(0.2, -0.46, -0.3, 0.08, -0.02, 0.08, -0.2, 0.46, 0.3, -0.1, 0.02, -0.1);
        };
    }

    private static Shape disk(double x, double y, double radius) {
        return new Ellipse2D.Double(x - radius, y - radius, 2 * radius, 2 * radius);
    }

    private static Shape without(Shape all, Shape hole) {
        Area rest = new Area(all);
        rest.subtract(new Area(hole));
        return rest;
    }

    private static Shape star() {
        double[] points = new double[20];
        for (int i = 0; i < 10; i++) {
            double radius = i % 2 == 0 ? 0.5 : 0.2;
            points[2 * i] = radius * Math.sin(i * Math.PI / 5);
            points[2 * i + 1] = -radius * Math.cos(i * Math.PI / 5);
        }
        return polygon(points);
    }

    private static Shape polygon(double... points) {
        Path2D path = new Path2D.Double();
        path.moveTo(points[0], points[1]);
        for (int i = 2; i < points.length; i += 2) {
            path.lineTo(points[i], points[i + 1]);
        }
        path.closePath();
        return path;
    }
}
