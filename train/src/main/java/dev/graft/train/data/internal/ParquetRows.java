package dev.graft.train.data.internal;

import dev.graft.formats.FormatException;
import dev.graft.formats.InputException;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.Properties;

/** The rows of a Parquet file as JSON lines, read by DuckDB: lists, structs and maps become those of JSON, dates and bytes become texts. */
final class ParquetRows {
    private static final Properties SETTINGS = new Properties();

    static {
        // What DuckDB lacks it would otherwise fetch.
        SETTINGS.setProperty("autoinstall_known_extensions", "false");
        SETTINGS.setProperty("autoload_known_extensions", "false");
        SETTINGS.setProperty("threads", "1");
        SETTINGS.setProperty("preserve_insertion_order", "true");
        SETTINGS.setProperty("jdbc_stream_results", "true");
    }

    private ParquetRows() {}

    static void write(Path file, OutputStream out) throws IOException {
        try {
            Class.forName("org.duckdb.DuckDBDriver");
        } catch (ClassNotFoundException e) {
            throw new InputException(
                    file + " is a Parquet file, which DuckDB reads: add org.duckdb:duckdb_jdbc to the class path", e);
        }
        // The file's name is data for DuckDB, but one with * or ? would be a pattern.
        String name = file.toAbsolutePath().toString().replaceAll("[*?\\[\\]]", "[$0]");
        try (Connection connection = DriverManager.getConnection("jdbc:duckdb:", SETTINGS);
                Statement settings = connection.createStatement();
                PreparedStatement query =
                        connection.prepareStatement("SELECT to_json(r)::VARCHAR FROM read_parquet(?) AS r")) {
            settings.execute("SET lock_configuration = true");
            query.setString(1, name);
            try (ResultSet rows = query.executeQuery()) {
                while (rows.next()) {
                    out.write(rows.getString(1).getBytes(StandardCharsets.UTF_8));
                    out.write('\n');
                }
            }
        } catch (SQLException e) {
            throw new FormatException(file, "is no Parquet file that can be read: " + firstLine(e));
        }
    }

    private static String firstLine(SQLException e) {
        return String.valueOf(e.getMessage()).lines().findFirst().orElse("");
    }
}
