SELECT style, type, parent_article, name, brand, vat_rate, price_from, price_to, left_out, status FROM product ORDER BY CAST(style AS BINARY)
