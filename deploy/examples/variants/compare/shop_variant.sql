SELECT style, article_no, colour, size, price, position FROM product_variant ORDER BY CAST(style AS BINARY), CAST(article_no AS BINARY)
