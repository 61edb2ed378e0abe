package dev.graft.eval.metrics.detection;

/** A rectangle in pixels: its corner with the smallest coordinates and its sides. */
public record Box(double x, double y, double width, double height) implements Region<Box> {

    @Override
    public double area() {
        return width * height;
    }

    @Override
    public double intersection(Box other) {
        double w = Math.min(x + width, other.x + other.width) - Math.max(x, other.x);
        double h = Math.min(y + height, other.y + other.height) - Math.max(y, other.y);
        return w <= 0 || h <= 0 ? 0 : w * h;
    }
}
