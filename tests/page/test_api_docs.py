"""The viewer of the OpenAPI document in a real browser: it lists operations, and sends requests."""

from typing import Any

from tests.page.browsing import Served, visit


def test_operations_are_listed_and_can_be_tried(browser: Any, served: Served) -> None:
    with visit(browser, f"{served.address}/?docs") as page:
        page.goto(f"{served.address}/docs#/catalogue/listCatalogues")
        operation = page.locator("#operations-catalogue-listCatalogues")
        operation.get_by_role("button", name="Try it out").click()
        operation.get_by_role("button", name="Execute").click()
        answer = operation.locator(".live-responses-table .microlight").first
        assert '"catalogues"' in answer.inner_text()
        assert page.locator(".opblock").count() >= 25
